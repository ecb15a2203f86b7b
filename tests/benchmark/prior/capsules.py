"""MuJoCo's capsules as they were before its version 2.1.2, in which the authors of `Hopper-v3` trained."""

import math

import gymnasium
import mujoco  # pyright: ignore[reportMissingImports]


class Cylinders(gymnasium.Wrapper):
    """Give capsules the mass and inertia of a cylinder, their middle longer by half their radius at both ends.

    Source: MuJoCo's list of changes, version 2.1.2; the capsules are upright in their own frame, one a body.
    """

    def __init__(self, env):
        super().__init__(env)
        model, data = (getattr(env.unwrapped, name) for name in ("model", "data"))
        for geom in range(model.ngeom):
            if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CAPSULE:  # pyright: ignore[reportAttributeAccessIssue]
                radius, half = model.geom_size[geom][:2]
                body, length = model.geom_bodyid[geom], 2 * half + radius
                mass = 1000 * math.pi * radius**2 * length
                across = mass * (3 * radius**2 + length**2) / 12
                model.body_mass[body], model.body_inertia[body] = mass, [across, across, mass * radius**2 / 2]
        mujoco.mj_setConst(model, data)  # pyright: ignore[reportAttributeAccessIssue]

"""Read Minari datasets: HDF5 (with h5py), Arrow and Parquet, with raw frames or JPEG.

The spaces in the metadata are authoritative; arrays that differ are refused. Source: minari/dataset/_storages, version
0.5.4.
"""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..folders import regular
from ..words import several
from . import arrow, columns, images, room, spaces
from .episode import Episode
from .source import JPEG, Bad, ForeignLog, Note
from .spaces import Space

LARGEST = 1 << 34  # bytes of an episode
MOST_ACTIONS = 1 << 16
ROWS = 10_000_000  # steps of an episode
DAMAGE = (
    OSError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    RuntimeError,
    OverflowError,
)  # of files and libraries


class ExpectedEpisode(NamedTuple):
    """The fields to read from an episode, and their spaces."""

    shown: list[str]  # path to the observation within nested ones
    observation: Space | None  # None if the metadata do not specify it
    action: Space | None
    values: str  # field of the infos with a teacher's values


def open(folder: Path, observation: str = "", teacher_values: str = "") -> ForeignLog:
    """Open a dataset's folder, or the folder `data` in it. `observation` names a field of nested observations.

    `teacher_values` names a field of the infos. Raises ValueError for action spaces that a log cannot hold.
    """
    data = folder / "data" if (folder / "data").is_dir() else folder
    about = _about(data)
    try:
        action = spaces.read(about["action_space"]) if "action_space" in about else None
        shown, seen, fields = [], None, {}
        if "observation_space" in about:
            whole = spaces.read(about["observation_space"])
            fields, (shown, seen) = whole.parts, spaces.leaf(whole, observation)
        _possible(seen, action)
    except ValueError as error:
        raise ValueError(f"{data / 'metadata.json'}: {error}.") from None
    wanted = ExpectedEpisode(shown, seen, action, teacher_values)
    numbers = _numbers(data)
    stated, steps = (_count(about, name, data) for name in ("total_episodes", "total_steps"))
    if stated is not None and stated != len(numbers):
        raise ValueError(f"{data} holds {several(len(numbers), 'episode')} where its metadata.json states {stated}.")
    notes = [f"Of its observations only the field {'/'.join(shown)} is kept"] if len(fields) > 1 else []
    if action is None:
        notes.append("The metadata do not state the action space: actions are assumed to be counted from 0")
    elif action.start:
        notes.append(f"Actions begin at {action.start} in the source: {action.start} was subtracted from each")
    name = str(about.get("dataset_id", "imported")).lower()
    return ForeignLog(
        lambda: _episodes(data, numbers, wanted, steps), name, action and (action.bounds or action.n), tuple(notes)
    )


def _about(data: Path) -> dict[str, Any]:
    """Return the metadata of a dataset; up to version 0.4 they are attributes of its only file."""
    path = regular(data / "metadata.json")
    try:
        if path.exists():
            about = json.loads(path.read_bytes())
        elif (data / "main_data.hdf5").exists():
            with _hdf5(data) as file:
                about = {name: _plain(value) for name, value in file.attrs.items()}
        else:
            raise ValueError(f"{data} is not a Minari dataset: it has no metadata.json.")
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid json: {error}.") from None
    except DAMAGE as error:
        raise ValueError(f"{data} is not a Minari dataset: {error}.") from None
    if not isinstance(about, dict):
        raise ValueError(f"{path} is not a json object.")
    return about


def _count(about: dict[str, Any], name: str, data: Path) -> int | None:
    """Return a number from the metadata, None if it is missing."""
    try:
        return None if about.get(name) is None else int(about[name])
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{data}: its metadata state {about[name]!r:.80} for {name}, which is not a number.") from None


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value


def _possible(observation: Space | None, action: Space | None) -> None:
    """Raise ValueError for spaces that a log cannot hold."""
    if observation is not None and not observation.dtype:
        raise ValueError(f"its observations are of the space {observation.kind}, which is not read: arrays are")
    if action is not None and action.n is not None and not 1 <= action.n <= MOST_ACTIONS:
        raise ValueError(f"it states {action.n} actions, where 1 to {MOST_ACTIONS:,} are possible")
    row = action is not None and action.kind == "Box" and columns.is_continuous(action.dtype, action.shape)
    if action is not None and action.n is None and not row:
        kind = f"{action.kind} {action.dtype}{list(action.shape)}" if action.dtype else action.kind
        raise ValueError(f"its actions are neither discrete nor a row of floats: their space is {kind}")


def _hdf5(data: Path) -> Any:
    try:
        import h5py  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError("Minari's HDF5 files are read with h5py, which is not installed; pip install h5py.") from None
    return h5py.File(regular(data / "main_data.hdf5"), "r")


def _numbers(data: Path) -> dict[int, Path | str]:
    """Return the location of each episode by its number: an Arrow or Parquet file, or a group of the HDF5 file."""
    parts: dict[int, Path | str] = {}
    for path in (*data.glob("*/*.arrow"), *data.glob("*/*.parquet")):
        number = path.parent.name
        if number.isdecimal() and int(number) in parts:
            raise ValueError(f"{path.parent} holds one episode in several files, which cannot be read.")
        if number.isdecimal():
            parts[int(number)] = path
    if not parts and not (data / "main_data.hdf5").exists():
        raise ValueError(f"{data} is not a Minari dataset: it has no episodes in HDF5, Arrow or Parquet.")
    if not parts:
        try:
            with _hdf5(data) as file:
                parts = {int(str(name).removeprefix("episode_")): str(name) for name in file}
        except (*DAMAGE, ValueError) as error:
            raise ValueError(f"{data / 'main_data.hdf5'} is not Minari's: {error}.") from None
    return dict(sorted(parts.items()))


def _episodes(
    data: Path, numbers: dict[int, Path | str], wanted: ExpectedEpisode, stated: int | None
) -> Iterator[Episode | Bad | Note]:
    steps, bad = 0, False
    file = None if all(isinstance(place, Path) for place in numbers.values()) else _hdf5(data)
    try:
        for number, place in numbers.items():
            where = place if isinstance(place, Path) else data / "main_data.hdf5"
            try:
                with room.bounded("it"):
                    found = _table(place, wanted) if isinstance(place, Path) else _group(_part(file, place), wanted)
                    episode, lossy = _episode(found, number, wanted)
                if (own := _own_count(file, place)) not in (None, episode.length):
                    raise ValueError(f"it holds {several(episode.length, 'step')} where its own metadata state {own}")
                if lossy:
                    yield Note(JPEG)
                if found["infos"]:
                    yield Note(f"Left out: {', '.join(f'the info {name}' for name in found['infos'])}")
                steps += episode.length
                yield episode
            except ValueError as error:
                bad = True
                yield Bad(f"{where}, episode {number}: {error}.")
            except DAMAGE as error:
                bad = True
                yield Bad(f"{where}, episode {number}: it is damaged: {' '.join(str(error).split())[:200]}.")
        if stated not in (None, steps) and not bad:
            raise ValueError(f"{data} holds {several(steps, 'step')} where its metadata.json states {stated}.")
    finally:
        if file is not None:
            file.close()


def _own_count(file: Any, place: Path | str) -> int | None:
    """Return how many steps an episode's own metadata state: attributes in HDF5, else a file beside it."""
    if isinstance(place, str):
        return _count(dict(file[place].attrs), "total_steps", Path(place))
    beside = regular(place.with_name("metadata.json"))
    about = json.loads(beside.read_bytes()) if beside.exists() else {}
    return _count(about, "total_steps", place.parent) if isinstance(about, dict) else None


def _part(group: Any, name: str) -> Any:
    """Return a member of a group or struct; ValueError if it is missing."""
    if name not in group:
        raise ValueError(f"it has no {name}")
    link = group.get(name, getlink=True)
    if hasattr(link, "filename"):
        raise ValueError(f"its {name} are in another file, {link.filename!r:.99}, which is not opened")
    part = group[name]
    if getattr(part, "external", None) or getattr(part, "is_virtual", False):
        raise ValueError(f"its {name} are kept in other files, which are not opened")
    return part


def _group(group: Any, wanted: ExpectedEpisode) -> dict[str, Any]:
    """Return the arrays of an episode in HDF5."""
    seen, space = _part(group, "observations"), wanted.observation
    for name in wanted.shown:
        seen = _part(seen, name if name in seen else f"_index_{name}")
    found = {"observations": seen}
    found |= {name: _part(group, name) for name in ("actions", "rewards", "terminations", "truncations")}
    if wanted.values:
        found["teacher_values"] = _part(_part(group, "infos"), wanted.values)
    others = sorted(set(group["infos"] if "infos" in group else ()) - {wanted.values})
    for name, array in found.items():
        if not hasattr(array, "shape") or not array.shape:
            raise ValueError(f"its {name} are nested, not one array")
        if array.shape[0] > ROWS or array.dtype.itemsize * math.prod(array.shape) > LARGEST:
            raise ValueError(f"its {name} are larger than an episode may be")
    room.check(sum(array.dtype.itemsize * math.prod(array.shape) for array in found.values()), "its arrays")
    arrays = {name: array[()] for name, array in found.items()}
    seen = arrays["observations"]
    images_of = space is not None and len(space.shape) in (2, 3) and seen.shape[1:] != space.shape
    if images_of and (seen.dtype == object or seen.ndim == 2):
        arrays["observations"] = [np.asarray(one, np.uint8).tobytes() for one in seen]  # JPEG
    return {**arrays, "infos": others}


def _table(path: Path, wanted: ExpectedEpisode) -> dict[str, Any]:
    """Return the columns of an episode in Arrow or Parquet, where all except the observations end with padding."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    regular(path)
    try:
        if path.suffix == ".parquet":
            with parquet.ParquetFile(path, page_checksum_verification=True) as file:
                batches = list(_counted(arrow.parquet_batches(file)))
        else:
            batches = list(_counted(arrow.ipc_batches(path)))
        if not batches:
            raise ValueError("it has no rows")
        table = pa.Table.from_batches(batches)
        table.validate(full=True)
    except pa.ArrowException as error:
        raise ValueError(f"it is damaged: {arrow.line(error)}") from None
    seen = _arrow_column(table, "observations")
    for name in wanted.shown:
        seen = seen.field(name)
    found = {"observations": arrow.numbers(seen, "observations")}
    for name in ("actions", "rewards", "terminations", "truncations"):
        found[name] = arrow.numbers(_arrow_column(table, name), name)[:-1]
    infos = _arrow_column(table, "infos") if "infos" in table.column_names else None
    names = [] if infos is None else [field.name for field in infos.type]
    if wanted.values:
        if infos is None or wanted.values not in names:
            raise ValueError(f"it has no {wanted.values} among its infos")
        found["teacher_values"] = arrow.numbers(infos.field(wanted.values), wanted.values)
    return {**found, "infos": sorted(set(names) - {wanted.values})}


def _counted(batches: Iterable[Any]) -> Iterator[Any]:
    """Yield batches of rows; ValueError if there are more than an episode may have."""
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        if rows > ROWS:
            raise ValueError("it has more rows than an episode may have")
        yield batch


def _arrow_column(table: Any, name: str) -> Any:
    if name not in table.column_names:
        raise ValueError(f"it has no {name}")
    return table[name].combine_chunks()


def _episode(found: dict[str, Any], number: int, wanted: ExpectedEpisode) -> tuple[Episode, bool]:
    """Return the episode, and whether its frames are lossy; ValueError if it contradicts the metadata."""
    frames, lossy = _frames(found["observations"], wanted.observation)
    actions = np.asarray(found["actions"])
    columns.playable(actions.dtype, actions.shape[1:])
    if len(frames) != len(actions) + 1:
        raise ValueError(f"{several(len(frames), 'observation')} do not fit {several(len(actions), 'action')}")
    continuous = columns.is_continuous(actions.dtype, actions.shape[1:])
    actions = actions if continuous else columns.numbers(actions, "action")
    space = wanted.action
    if continuous != (space is not None and space.kind == "Box") and space is not None:
        raise ValueError(f"its actions are {actions.dtype}{list(actions.shape[1:])}, where {space.kind} is stated")
    if space is not None and space.n is not None:
        for step in np.flatnonzero((actions < space.start) | (actions >= space.start + space.n))[:1]:
            last = space.start + space.n - 1
            raise ValueError(f"step {step}: the action is {actions[step]}, where {space.start} to {last} are stated")
        actions = actions - space.start
    ended, cut = (columns.flags(found[name], name) for name in ("terminations", "truncations"))
    for name, marks in (("terminations", ended), ("truncations", cut)):
        if len(marks) != len(actions):
            raise ValueError(f"{len(marks)} {name} do not fit {several(len(actions), 'action')}")
        for step in np.flatnonzero(marks[:-1])[:1]:
            raise ValueError(f"step {step}: its {name} are true before the last step")
    extras = {"teacher_values": found["teacher_values"]} if "teacher_values" in found else {}
    rewards, terminal = found["rewards"], bool(len(ended) and ended[-1])
    return Episode.of(frames, actions, rewards, terminal, number, agent_id="minari", **extras), lossy


def _frames(seen: Any, space: Space | None) -> tuple[np.ndarray, bool]:
    """Return the frames [N + 1, *frame], and whether they were JPEG."""
    if isinstance(seen, list):
        if space is None or space.dtype != "uint8" or len(space.shape) not in (2, 3):
            raise ValueError("its observations are images, but its metadata do not state their size")
        shape = space.shape if len(space.shape) == 3 else (*space.shape, 1)
        if any(one[:2] != b"\xff\xd8" for one in seen):
            raise ValueError("its observations are neither arrays nor JPEG")
        frames = images.decode([memoryview(one) for one in seen], shape, np.dtype(np.uint8))
        return frames.reshape(len(seen), *space.shape), True
    if space is None:
        return seen, False
    if seen.ndim > 1 and len(space.shape) != 1 and seen.shape[1:] == (math.prod(space.shape),):
        seen = seen.reshape(len(seen), *space.shape)  # the layout of Arrow and Parquet
    if seen.shape[1:] != space.shape or seen.dtype.newbyteorder("=") != np.dtype(space.dtype):
        found = f"{seen.dtype}{list(seen.shape[1:])}"
        raise ValueError(f"its observations are {found}, where {space.dtype}{list(space.shape)} is stated")
    return columns.planes(seen) if space.kind == "MultiBinary" else seen, False

"""Pictures of a flight: its track around the station, and below it the pressure over time."""

import numpy as np

SIDE, STRIP = 480, 120  # pixels: a square map, and below it a strip a quarter as high
KM = 400.0  # side of the map
LOW, HIGH, STEPS = 5_000.0, 14_000.0, 960  # pressures at top and bottom of the strip [Pa], steps of its width
SKY, SEA, RING, TRACK, NOW, INK = "#f4f7fb", "#ffffff", "#0072b2", "#d55e00", "#000000", "#444444"
Place = tuple[float, float, float, float]  # east and north of the station [km], pressure [Pa], battery [0, 1]


class Picture:
    """Draw a flight as it happens."""

    def __init__(self):
        from PIL import Image, ImageDraw

        self._image = Image.new("RGB", (SIDE, SIDE + STRIP), SEA)
        self._draw, self._flown = ImageDraw.Draw(self._image), []
        radius = 50.0 * SIDE / KM
        middle = SIDE / 2
        self._draw.rectangle((0, SIDE, SIDE, SIDE + STRIP), SKY)
        self._draw.ellipse((middle - radius, middle - radius, middle + radius, middle + radius), SKY, RING, 2)
        self._draw.line((middle - 4, middle, middle + 4, middle), RING, 2)
        self._draw.line((middle, middle - 4, middle, middle + 4), RING, 2)
        self._draw.text((middle + 6, middle - 14), "station", INK)
        self._draw.text((middle + 6, middle + radius - 16), "50 km", RING)
        self._draw.text((6, SIDE + 4), "5,000 Pa", INK)
        self._draw.text((6, SIDE + STRIP - 14), "14,000 Pa, over two days", INK)

    def after(self, place: Place) -> np.ndarray:
        """Advance to a place and return the picture [H, W, 3]; a dot marks the balloon."""
        from PIL import ImageDraw

        self._flown.append(place)
        if len(self._flown) > 1:
            self._draw.line([_on_map(one) for one in self._flown[-2:]], TRACK, 2)
            strip = [_on_strip(step, self._flown[step]) for step in (len(self._flown) - 2, len(self._flown) - 1)]
            self._draw.line(strip, TRACK, 2)
        shown = self._image.copy()
        draw, (x, y) = ImageDraw.Draw(shown), _on_map(place)
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), NOW)
        hours, distance = (len(self._flown) - 1) / 20, float(np.hypot(place[0], place[1]))
        said = f"{hours:4.1f} h   {distance:5.0f} km from the station   {place[2]:6,.0f} Pa   battery {place[3]:.0%}"
        draw.text((6, 6), said, INK)
        return np.asarray(shown, np.uint8)


def _on_map(place: Place) -> tuple[float, float]:
    """Return the pixel of a place; places beyond the map are shown at its edge."""
    x, y = (float(np.clip(0.5 + km / KM, 0.005, 0.995)) * SIDE for km in (place[0], -place[1]))
    return x, y


def _on_strip(step: int, place: Place) -> tuple[float, float]:
    return step / STEPS * SIDE, SIDE + float(np.clip((place[2] - LOW) / (HIGH - LOW), 0.0, 1.0)) * (STRIP - 1)

"""Draws docs/architecture.svg from the imports: `python -m tests.architecture`, run from the root of the repository."""

from collections.abc import Mapping
from html import escape

from .test_layers import MODULES, ORDER, ROOT, arrows, named
from .test_layers import part_of as part_within

FILE = ROOT / "docs" / "architecture.svg"
ROOMS = ("datasets", "leaderboard", "agents", "benchmark")  # those that know nobody, then who knows more
WIDTH, HEIGHT, GAP_X, GAP_Y, LEFT = 120, 26, 16, 22, 8


def parts() -> dict[str, set[str]]:
    """Return {part: the parts that its modules import}, such as benchmark/cli -> benchmark/runs."""
    found: dict[str, set[str]] = {}
    for module, targets in arrows({named(path): path.read_text() for path in MODULES}).items():
        mine = found.setdefault(part_of(module), set())
        mine |= {part_of(target) for target in targets} - {part_of(module)}
    return found


def part_of(module: str) -> str:
    """Return room/part where a room has an order of parts, else the room."""
    room = module.split(".")[0]
    return f"{room}/{part_within(module).replace('.', '/')}" if room in ORDER else room


def reduced(asked: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Leave out arrows that others imply: a -> c where there are a -> b and b -> c."""

    def below(part: str) -> set[str]:
        return set().union(*({target} | below(target) for target in asked.get(part, ())))

    return {part: {one for one in to if not any(one in below(other) for other in to)} for part, to in asked.items()}


def rows(asked: Mapping[str, set[str]]) -> list[list[str]]:
    """Put every part one row above the highest of those that it imports."""
    height: dict[str, int] = {}

    def level(part: str) -> int:
        if part not in height:
            height[part] = 1 + max((level(target) for target in asked[part]), default=-1)
        return height[part]

    found: list[list[str]] = [[] for _ in range(1 + max(map(level, asked)))]
    for part in sorted(asked, key=lambda part: (ROOMS.index(part.partition("/")[0]), part)):
        found[level(part)].append(part)
    return found


def picture() -> str:
    """Return the picture as SVG: who imports whom, from above to below."""
    asked = parts()
    table = rows(asked)
    wide = max(map(len, table))
    place = {}
    for row, names in enumerate(table):
        indent = (wide - len(names)) * (WIDTH + GAP_X) / 2
        for column, name in enumerate(names):
            place[name] = LEFT + indent + column * (WIDTH + GAP_X), LEFT + (len(table) - 1 - row) * (HEIGHT + GAP_Y)
    size = 2 * LEFT + wide * (WIDTH + GAP_X) - GAP_X, 2 * LEFT + len(table) * (HEIGHT + GAP_Y) - GAP_Y
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" font-family="sans-serif">']
    lines += [f'<rect width="{size[0]}" height="{size[1]}" fill="#ffffff"/>']
    for part, targets in sorted(reduced(asked).items()):
        for target in sorted(targets):
            (x, y), (u, v) = place[part], place[target]
            ends = f"{x + WIDTH / 2:.0f} {y + HEIGHT} L {u + WIDTH / 2:.0f} {v}"
            lines.append(f'<path d="M {ends}" stroke="#9aa4b0" fill="none"/>')
    colours = dict(zip(ROOMS, ("#dcecf7", "#f8e3d4", "#dff0e4", "#efe6f3"), strict=True))
    for name, (x, y) in sorted(place.items()):
        room = name.partition("/")[0]
        lines.append(f'<rect x="{x:.0f}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="4" fill="{colours[room]}"/>')
        middle = f'x="{x + WIDTH / 2:.0f}" y="{y + HEIGHT / 2 + 4:.0f}"'
        lines.append(f'<text {middle} text-anchor="middle" font-size="11" fill="#1b1f24">{escape(name)}</text>')
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    FILE.write_text(picture())

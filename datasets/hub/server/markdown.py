"""Cards as pages: headings, paragraphs, lists, tables and code of Markdown; anything else is shown as typed.

Every character of a card is escaped, and links lead to web pages or to places of this hub. The time is linear in the
card's length, whatever it holds.
"""

import re
from collections.abc import Iterator

from .html import Safe, join, table, tag

FENCE = re.compile(r"(`{3,}|~{3,}).*")
HEADING = re.compile(r"#{1,6} +(.*)")
ITEM = re.compile(r"[ \t]{0,3}(?:[-*+]|\d{1,9}[.)])[ \t]+(.*)")
INLINE = re.compile(
    r"`([^`\n]{1,500})`|\*\*([^*\n]{1,500})\*\*|\[([^\]\n]{1,200})\]\((https?://[^)\s]{1,500}|/(?![/\\])[^)\s]{0,500})\)"
)


def render(text: str) -> Safe:
    """Render a card without its metadata."""
    return join(_blocks(text.splitlines()))


def _blocks(lines: list[str]) -> Iterator[Safe]:
    at = 0
    while at < len(lines):
        line, first = lines[at], at
        at += 1
        if found := FENCE.fullmatch(line.strip()):
            while at < len(lines) and not lines[at].strip().startswith(found[1]):
                at += 1
            yield tag("pre", "\n".join(lines[first + 1 : at]))
            at += 1
        elif found := HEADING.fullmatch(line):
            yield tag("h2", inline(found[1]))
        elif _is_table(lines, first):
            while at < len(lines) and lines[at].lstrip().startswith("|"):
                at += 1
            yield table(_cells(line), [_cells(row) for row in lines[first + 2 : at]], "An empty table.")
        elif ITEM.fullmatch(line):
            while at < len(lines) and lines[at].strip() and not _begins(lines, at):
                at += 1
            yield from _list(lines[first:at])
        elif line.strip():
            while at < len(lines) and lines[at].strip() and not _begins(lines, at) and not ITEM.fullmatch(lines[at]):
                at += 1
            yield tag("p", inline("\n".join(lines[first:at])))


def _begins(lines: list[str], at: int) -> bool:
    """Return whether a line begins a heading, a table or code."""
    return bool(HEADING.fullmatch(lines[at]) or FENCE.fullmatch(lines[at].strip()) or _is_table(lines, at))


def _is_table(lines: list[str], at: int) -> bool:
    rule = lines[at + 1].strip() if at + 1 < len(lines) else ""
    return lines[at].lstrip().startswith("|") and rule.startswith("|") and "-" in rule and set(rule) <= set("|:- \t")


def _list(lines: list[str]) -> Iterator[Safe]:
    items: list[list[str]] = []
    for line in lines:
        if found := ITEM.fullmatch(line):
            items.append([found[1]])
        else:
            items[-1].append(line.strip())
    yield tag("ul", *(tag("li", inline("\n".join(item))) for item in items))


def _cells(row: str) -> list[Safe]:
    inner = row.strip().removeprefix("|").removesuffix("|")
    return [inline(cell.strip().replace("\\|", "|")) for cell in re.split(r"(?<!\\)\|", inner)]


def inline(text: str) -> Safe:
    """Render code, bold words and links within a line."""
    parts: list[object] = []
    last = 0
    for found in INLINE.finditer(text):
        code, bold, name, address = found.groups()
        parts.append(text[last : found.start()])
        if name:
            parts.append(tag("a", name, href=address, rel="noopener nofollow"))
        else:
            parts.append(tag("code", code) if code else tag("strong", bold))
        last = found.end()
    return join([*parts, text[last:]])

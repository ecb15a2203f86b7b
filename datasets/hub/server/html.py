"""Pages for browsers: stored content is escaped, and the browser is told to run no scripts."""

import html
from collections.abc import Iterable, Sequence

from starlette.responses import Response

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
    "frame-ancestors 'none'; base-uri 'none'; sandbox allow-downloads allow-top-navigation-by-user-activation"
)
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --line: #d8dde3; --paper: #fff; --card: #f5f7f9; --mark: #0b6e4f; --bad: #a5390b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebee; --soft: #a2adb8; --line: #37404a; --paper: #14181c; --card: #1d2329; --mark: #4cc38a; --bad: #ff9d6c; } }
* { box-sizing: border-box; } body { margin: 0 auto; padding: 0 1rem 3rem; max-width: 64rem; color: var(--ink); background: var(--paper); font: 15px/1.5 system-ui, sans-serif; }
header { border-bottom: 1px solid var(--line); padding: 1rem 0 .5rem; } h1 { font-size: 1.3rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .3rem; } p { margin: .5rem 0; } p, li, code { overflow-wrap: anywhere; } a { color: var(--mark); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word; } td { min-width: 4.5rem; max-width: 24rem; } th { white-space: nowrap; color: var(--soft); font-weight: 600; } td.n { text-align: right; white-space: nowrap; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--card); padding: .8rem; border-radius: .3rem; font-size: .85rem; } .soft { color: var(--soft); } .state { border: 1px solid var(--line); border-radius: 1rem; padding: 0 .5rem; font-size: .85rem; white-space: nowrap; } .good { border-color: var(--mark); color: var(--mark); } .bad { border-color: var(--bad); color: var(--bad); }
@media (max-width: 40rem) { body { padding: 0 .6rem 2rem; font-size: 14px; } td { overflow-wrap: anywhere; } }
"""  # noqa: E501


class Safe(str):
    """HTML made here from escaped parts."""


def text(value: object) -> Safe:
    """Escape anything for HTML; safe text is returned unchanged."""
    return value if isinstance(value, Safe) else Safe(html.escape(str(value)))


def tag(name: str, *children: object, **attributes: str) -> Safe:
    """Make an element; `kind` is its class."""
    told = "".join(f' {"class" if key == "kind" else key}="{html.escape(value)}"' for key, value in attributes.items())
    return Safe(f"<{name}{told}>{join(children)}</{name}>")


def join(parts: Iterable[object], between: str = "") -> Safe:
    """Join parts, escaping those that are not safe."""
    return Safe(html.escape(between).join(map(text, parts)))


def table(head: Sequence[object], rows: Sequence[Sequence[object]], empty: str) -> Safe:
    """Make a table, or a note that it is empty."""
    if not rows:
        return tag("p", empty, kind="soft")
    cells = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    top = tag("thead", tag("tr", *(tag("th", title, scope="col") for title in head)))
    return tag("div", tag("table", top, tag("tbody", *cells)), kind="scroll", tabindex="0")


def page(title: str, *parts: object, status: int = 200) -> Response:
    """Make a page without scripts and external resources."""
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
    head += f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>'
    way = [tag("a", "This hub", href="/"), *([" / ", title] if title != "This hub" else [])]
    body = join([tag("header", tag("h1", *way)), tag("main", *parts)])
    headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
    return Response(f"{head}{body}</body></html>\n", status, headers, "text/html")

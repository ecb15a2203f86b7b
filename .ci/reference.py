"""Pages of the documentation that are made from the code: commands, methods, and the notebook."""

import inspect
import json
import posixpath
import re
from pathlib import Path

import click
import typer
from mkdocs.structure.files import File, Files

WORKER = Path(__file__).parent / "iframe-worker" / "shim.js"  # lets the search run in a page that was opened from disk
STYLE = Path(__file__).parent / "site.css"
ELSEWHERE = "https://unpkg.com/iframe-worker/shim"
ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
READMES = {  # pages that are the rooms' own, which GitHub shows beside the code
    "rules.md": "leaderboard/README.md",
    "teachers-and-logs.md": "datasets/README.md",
    "all-methods.md": "agents/README.md",
}
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?!\w+:|#)(?P<to>[^)#\s]+)(?P<place>#[^)\s]*)?\)")


def on_files(files: Files, config) -> Files:
    """Add the pages; mkdocs calls this before it reads any."""
    pages = {"reference/commands.md": commands(), "reference/methods.md": methods(), "notebook.md": notebook()}
    pages |= {name: (ROOT / path).read_text(encoding="utf-8") for name, path in READMES.items()}
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    files.append(File.generated(config, "assets/iframe-worker.js", content=WORKER.read_text(encoding="utf-8")))
    files.append(File.generated(config, "assets/site.css", content=STYLE.read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page, config, files) -> str:
    """Let links lead to the pages of the site; files of the repository that are not on it are named, without a link."""
    own = page.file.src_uri
    source = ROOT / READMES.get(own, f"docs/{own}")
    pages = {ROOT / path: name for name, path in READMES.items()} | {NOTEBOOK: "notebook.md"}

    def led(link: re.Match) -> str:
        to = (source.parent / link["to"]).resolve()
        inside = to.relative_to(ROOT / "docs").as_posix() if to.is_relative_to(ROOT / "docs") else ""
        shown = pages.get(to, inside)
        there = files.get_file_from_path(shown)
        if there is None or there.inclusion.is_excluded():
            return link["text"]
        return f"[{link['text']}]({posixpath.relpath(shown, posixpath.dirname(own) or '.')}{link['place'] or ''})"

    return LINK.sub(led, markdown)


def on_post_page(output: str, page, config) -> str:
    """Take the script of the search from the site itself, not from another host."""
    return output.replace(ELSEWHERE, "../" * page.url.count("/") + "assets/iframe-worker.js")


def on_post_template(output_content: str, template_name: str, config) -> str:
    """Do the same for pages that are not documents, such as that of a wrong address."""
    return output_content.replace(ELSEWHERE, "assets/iframe-worker.js")


def commands() -> str:
    """Describe every command with its arguments and options, as the program knows them."""
    from reincarnate.benchmark.cli.main import app

    parts = ["# Commands\n\nMade from the program's own help, in its order: start, run, compare, share, maintain."]

    def walk(command: click.Command, name: str) -> None:
        if command.hidden:
            return
        inner = getattr(command, "commands", {})
        if name != "reincarnate":
            parts.append(f"## `{name}`\n\n{command.help or ''}\n\n{'' if inner else _options(command)}")
        order = [key for keys in getattr(command, "sections", {}).values() for key in keys if key in inner]
        for key in dict.fromkeys([*order, *inner]):
            walk(inner[key], f"{name} {key}")

    walk(typer.main.get_command(app), "reincarnate")
    return "\n\n".join(parts) + "\n"


def _options(command: click.Command) -> str:
    rows = ["| option | means | default |", "|---|---|---|"]
    for one in command.params:
        if getattr(one, "hidden", False):
            continue
        names = ", ".join((*one.opts, *one.secondary_opts))
        value = "" if getattr(one, "is_flag", False) else f" {one.metavar}"
        typed = one.get_help_record(click.Context(command))[0] if one.param_type_name == "argument" else names + value
        default = one.default() if callable(one.default) else one.default
        shown = "" if default in (None, "", (), [], False) or default is ... else f"`{default}`"
        means = _cell(getattr(one, "help", "") or "")
        rows.append(f"| `{_cell(typed)}` | {means} | {'required' if one.required else shown} |")
    return "\n".join(rows) if command.params else "It takes no options."


def methods() -> str:
    """Describe every method: what it says of itself, and the range and meaning of each keyword."""
    from reincarnate.agents import keywords

    parts = ["# Methods\n\nMade from the methods' own text. A keyword is set by `--set NAME=VALUE`."]
    for name in keywords.shipped():
        factory = keywords.find(name)
        rows = ["| keyword | default | range | means |", "|---|---|---|---|"]
        for key, default, bounds, meaning in keywords.explained(factory):
            told = "required" if default is keywords.EMPTY else getattr(default, "__name__", default)
            rows.append(f"| `{key}` | `{told}` | {_cell(str(bounds or ''))} | {_cell(meaning)} |")
        parts.append(f"## {name}\n\n{inspect.cleandoc(keywords.about(factory))}\n\n" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"


def notebook() -> str:
    """Show the notebook as a page: its text, and its code as it is typed."""
    parts = []
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(f"```python\n{text}\n```" if cell["cell_type"] == "code" else text)
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")

"""Pages of the documentation that are made from the code: commands, methods, and the notebook."""

import inspect
import json
import re
from pathlib import Path

import click
import typer
from mkdocs.structure.files import File, Files

WORKER = Path(__file__).parent / "iframe-worker" / "shim.js"  # lets the search run in a page that was opened from disk
STYLE = Path(__file__).parent / "site.css"
ELSEWHERE = "https://unpkg.com/iframe-worker/shim"
NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


def on_files(files: Files, config) -> Files:
    """Add the pages; mkdocs calls this before it reads any."""
    pages = {"reference/commands.md": commands(), "reference/methods.md": methods(), "notebook.md": notebook()}
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    files.append(File.generated(config, "assets/iframe-worker.js", content=WORKER.read_text(encoding="utf-8")))
    files.append(File.generated(config, "assets/site.css", content=STYLE.read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page, config, files) -> str:
    """Name files of the repository that are not on the site, in place of links that lead nowhere there."""
    docs = NOTEBOOK.parent
    here = (docs / page.file.src_uri).parent

    def named(link: re.Match) -> str:
        outside = not (here / link["to"]).resolve().is_relative_to(docs)
        return link["text"] if outside else link[0]

    return re.sub(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<to>\.\./[^)#\s]+)[^)]*\)", named, markdown)


def on_post_page(output: str, page, config) -> str:
    """Take the script of the search from the site itself, not from another host."""
    return output.replace(ELSEWHERE, "../" * page.url.count("/") + "assets/iframe-worker.js")


def on_post_template(output_content: str, template_name: str, config) -> str:
    """Do the same for pages that are not documents, such as that of a wrong address."""
    return output_content.replace(ELSEWHERE, "assets/iframe-worker.js")


def commands() -> str:
    """Describe every command with its arguments and options, as the program knows them."""
    from reincarnate.benchmark.cli.main import app

    parts = ["# Commands\n\nMade from the program's own help."]

    def walk(command: click.Command, name: str) -> None:
        if command.hidden:
            return
        inner = getattr(command, "commands", None)
        if name != "reincarnate":
            parts.append(f"## `{name}`\n\n{command.help or ''}\n\n{'' if inner else _options(command)}")
        for key, one in (inner or {}).items():
            walk(one, f"{name} {key}")

    walk(typer.main.get_command(app), "reincarnate")
    return "\n\n".join(parts) + "\n"


def _options(command: click.Command) -> str:
    rows = ["| option | means | default |", "|---|---|---|"]
    for one in command.params:
        if getattr(one, "hidden", False):
            continue
        names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))
        default = one.default() if callable(one.default) else one.default
        shown = "" if default in (None, "", (), [], False) or default is ... else f"`{default}`"
        rows.append(f"| {names} | {_cell(getattr(one, 'help', '') or '')} | {'required' if one.required else shown} |")
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

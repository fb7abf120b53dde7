"""Write the command reference, docs/commands.md, from the command tree: `make reference`.

tests/docs/test_documents.py compares the file with what this returns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from sightline.cli.main import app

#: The type of an argument that is any text.
_PLAIN_TYPE = re.compile(r" <(str|list\[(str|Path)\])>$")
PATH = Path(__file__).parents[2] / "docs" / "commands.md"
_INTRODUCTION = """# Command reference

Written from the command tree by `make reference`; `sightline COMMAND --help` shows the
same. The options of `sightline` itself may also stand after the command. With `--json` a command
prints JSON and nothing else on stdout; progress and errors go to stderr. Exit codes are 0 (done),
1 (failed) and 2 (wrong usage); 143 and 129 where SIGTERM or SIGHUP ended the command.
"""


def reference() -> str:
    """Return the reference as Markdown."""
    root = typer.main.get_command(app)
    return "\n".join([_INTRODUCTION, *_sections(root, "sightline")])


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield a command with its full name, and every command below it."""
    yield name, command
    for sub_name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, f"{name} {sub_name}")


def _sections(root: Any, root_name: str) -> Iterator[str]:
    for name, command in commands(root, root_name):
        context = root.context_class(command, info_name=name, max_content_width=200)
        yield f"## {name}\n"
        yield f"```text\n{context.get_usage().removeprefix('Usage: ')}\n```\n"
        yield from (f"{_joined(paragraph)}\n" for paragraph in command.help.split("\n\n"))
        yield from _table(command, context)


def _table(command: Any, context: Any) -> Iterator[str]:
    records = [parameter.get_help_record(context) for parameter in command.params]
    rows = [record for record in records if record is not None]
    if not rows:
        return
    yield "| Argument or option | Meaning |\n|---|---|"
    for name, meaning in rows:
        yield f"| `{_cell(_PLAIN_TYPE.sub('', name))}` | {_cell(meaning)} |"
    yield ""


def _joined(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _joined(text).replace("|", "\\|").replace("*", "\\*")


if __name__ == "__main__":
    PATH.write_text(reference(), encoding="utf-8")

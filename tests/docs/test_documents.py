"""Commands, options, files and headings that the documents name exist; the reference is right."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from sightline.cli.main import app
from tests.docs.reference import PATH, reference

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "compose" / "README.md")
)
_TREE = typer.main.get_command(app)
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(sightline [^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_SHELLS = {"console", "sh", "bash", "shell"}
#: What is said of a command that is short of arguments; nothing of a group without a command.
_SHORT = re.compile(r"Missing parameter|requires an argument|^$")
#: Words that stand for what a reader puts there.
_PLACEHOLDERS = {"ID": "0", "COMMAND": "ingest"}
_GLOBAL_VARIABLES = ("RAY_ADDRESS", "SIGHTLINE_DATA_DIR")


def commands_in(text: str) -> Iterator[tuple[bool, list[str]]]:
    """Yield the arguments of every `sightline` command in a document, and whether it is whole.

    One within a sentence may be short of arguments, as in "`sightline ingest --bulk` hands …".
    """
    for language, block in _FENCED.findall(text):
        lines = block.replace("\\\n", " ").splitlines() if language in _SHELLS else ()
        for line in lines:
            if language != "console" or line.startswith("$ "):
                yield from ((True, found) for found in _arguments(line.removeprefix("$ ")))
    for code in _INLINE.findall(_FENCED.sub("", text)):
        if "…" not in code:
            yield from ((False, found) for found in _arguments(" ".join(code.split())))


def _arguments(line: str) -> Iterator[list[str]]:
    words = shlex.split(line, comments=True)
    if "sightline" in words and words[0] in ("sightline", "docker"):
        rest = words[words.index("sightline") + 1 :]
        yield [_PLACEHOLDERS.get(word, word) for word in rest if word != "--help"]


def parse(arguments: list[str]) -> None:
    """Parse a command as the command line does, and run nothing."""
    command: Any = _TREE
    context = command.make_context("sightline", list(arguments))
    while hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        if not rest and command.invoke_without_command:
            return
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_commands_of_documents_exist_with_their_options(
    document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in _GLOBAL_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    wrong = []
    for is_whole, arguments in commands_in((ROOT / document).read_text(encoding="utf-8")):
        try:
            parse(arguments)
        except Exception as error:
            if not is_whole and _SHORT.search(str(error)):
                continue
            wrong.append(f"sightline {shlex.join(arguments)}: {error}")
    assert wrong == []


def test_the_commands_that_are_checked_are_found() -> None:
    text = "```console\n$ sightline serve  # x\n$ sightline index set HNSW \\\n    --m 8\n```\n"
    text += "Or `sightline prune` and `sightline jobs retry ID`, not `sightline …`.\n"
    assert list(commands_in(text)) == [
        (True, ["serve"]),
        (True, ["index", "set", "HNSW", "--m", "8"]),
        (False, ["prune"]),
        (False, ["jobs", "retry", "0"]),
    ]


@pytest.mark.parametrize(
    "arguments", [["serch"], ["search", "--nonsense"], ["jobs", "cancel"], ["status", "too-much"]]
)
def test_what_the_command_line_refuses_is_refused(arguments: list[str]) -> None:
    with pytest.raises(Exception, match=r".+"):
        parse(arguments)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_of_documents_lead_somewhere(document: Path) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    lost = []
    for link in _LINK.findall(_FENCED.sub("", text)):
        if "://" in link:
            continue
        file, _, heading = link.partition("#")
        target = Path(os.path.normpath(ROOT / document.parent / file)) if file else ROOT / document
        if not target.exists() or (heading and heading not in _anchors(target)):
            lost.append(link)
    assert lost == []


def _anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives to a document's headings."""
    headings = _HEADING.findall(document.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def test_command_reference_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _GLOBAL_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    same = PATH.read_text(encoding="utf-8") == reference()
    assert same, "docs/commands.md is out of date: `make reference` writes it anew"


def test_docs_folder_has_at_most_14_entries() -> None:
    assert len([path for path in (ROOT / "docs").iterdir() if path.name[0] not in "._"]) <= 14

"""Hostile command lines, settings and damage to a library, drawn from the product's own tables."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import typer
from hypothesis import strategies as st
from pydantic import BaseModel

from search_core.settings import Settings
from sightline.cli.main import app
from tests.cli.conftest import Outcome, write_clip

TEXT = (
    "", " ", "\x1b[31mred", "a\nb", "nan", "inf", "9" * 400, os.fsdecode(b"\xff"), "x" * 5000,
    "x" * 1_000_000, "[/x]", "~nosuch/x", "file://[", "file:///%00", "file://x", "s3://[", "gs://x",
    "https://[::1", "https://127.0.0.1:1/x", "rtsp://[::1", "rtsp://a:99999999", "interval:nan",
    "interval:1e308", "interval:0", "scene:inf", "motion+distinct", "{}", "{0}", "%s", "%d", "utc:",
    "%camera", "nlist=nan", "=", "camera=", "gate=+1h", "gate=Europe/Berlin", "+99:99", "nan%",
    "1,,x", "HNSW,", "HNSW", "DISKANN", "[", "[!", "*" * 300, "nosuch", "a'\"\\", "' or 1==1 --",
    "\u202ename", "\u2028", "\u0663", "nanGiB", "1e400GiB", "1GiB", "../x", "a" * 256, "\ufeff",
    "\U0001f600" * 70, "gate", "ray://x", "::1", "viewer", "{} {x}", "-k", "--help", "@x",
)  # fmt: skip
NUMBERS = (
    "nan", "inf", "-inf", "-1", "0", "-0", "1", "2", "1e-320", "1e400", "2147483648", "16385",
    "9223372036854775807", "9223372036854775808", "99999999999999999999", "-9223372036854775808",
    "\u0663", "0x10", "", "1_0", "9" * 5000, "1e3", "65536",
)  # fmt: skip
DATES = (
    "0001-01-01", "0001-01-01T00:00:00+23:59", "9999-12-31", "9999-12-31T23:59:59.999999-23:59",
    "1969-12-31T23:59:59Z", "2026-02-30", "2026-01-01T24:00", "2026-01-01T10:00+99:00", "2026-W05",
    "20260101T101010Z", "2026-01-01T10:00:60", "2026-03-29T02:30", "", "now", "9" * 400,
)  # fmt: skip
DURATIONS = ("30d", "0s", "-5d", "+1h", "1e400d", "999999999d", "nand", "", "9" * 400 + "d", "1w")
#: In the folder that :func:`make_folder` makes.
PATHS = (
    "red.png", "gate.mp4", "folder", "notes.txt", "empty", "pipe", "loop", "dangling", "cut.mp4",
    "cut.png", "bad.zip", "-k", "--help", "new\nline.png", "\x1b[31m.png", os.fsdecode(b"\xff.png"),
    "folder.png", "nosuch", "red.png/x", "*.png", "**", "/dev/null", "/proc/self/mem", "x/" * 500,
    "n" * 300 + ".png", "x.pdf", "notes.txt/out.html", ".",
)  # fmt: skip
PATH_NAMES = {"paths", "image", "sheet", "out", "directories", "source"}
#: What these start does not end by itself.
ENDLESS = {"serve", "worker", "watch", "demo"}
ARGUMENTS = {
    "paths": "red.png", "sentence": "a car", "index_type": "FLAT", "directories": ".",
    "rows": "1000", "memory": "1GiB", "role": "viewer", "address": "rtsp://127.0.0.1:1/x",
}  # fmt: skip
#: What reads or changes each part of a library.
COMMANDS = (
    ["status"], ["search", "red"], ["search", "--image", "red.png", "--sheet", "sheet.pdf"],
    ["library", "list"], ["library", "show"], ["failures"], ["verify"], ["ingest", "red.png"],
    ["delete", "--camera", "gate", "--yes"], ["prune", "--older-than", "1d", "--yes"], ["audit"],
    ["users", "list"], ["users", "remove", "anna@x.org", "--yes"], ["cameras"],
    ["cameras", "pause", "c1"], ["folders", "--gaps"], ["jobs", "list"], ["index", "show"],
    ["index", "set", "HNSW"], ["index", "check"], ["library", "reembed", "--job"],
    ["library", "retime", "--shift", "+1h", "--yes"], ["library", "retime", "--resume", "--yes"],
    ["library", "recamera", "--to", "yard", "--yes"], ["plan", "red.png"], ["doctor"],
    ["verify", "--repair"], ["library", "drop", "main", "--yes"],
)  # fmt: skip

#: What a message for people never holds: names of classes, numbers of errors, addresses of objects.
_RAW = re.compile(
    r"\w+(Error|Exception)\b|\bErrno\b|<class|object at 0x|Traceback|internal error|'utf-8' codec"
)
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def assert_plain(outcome: Outcome) -> None:
    """Assert that a run ended as one may, with words for people on a terminal, or with JSON."""
    said = outcome.out + outcome.err
    assert outcome.exit_code in (0, 1, 2)
    assert outcome.exit_code == 0 or said.strip()
    for unwanted in ("bug in Sightline", "The operating system refused"):
        assert unwanted not in said, said[:2000]
    for pattern in (_RAW, _CONTROLS):
        assert not pattern.search(said), said[:2000]


def commands() -> list[tuple[tuple[str, ...], Any]]:
    """Every command that ends by itself, with its parameters."""
    found = []

    def walk(command: Any, path: tuple[str, ...]) -> None:
        for name, below in getattr(command, "commands", {}).items():
            walk(below, (*path, name))
        if not hasattr(command, "commands") and path[0] not in ENDLESS:
            found.append((path, [p for p in command.params if p.name != "help"]))

    walk(typer.main.get_command(app), ())
    return found


def is_number(parameter: Any) -> bool:
    return re.search(r"\b(int|float)\b", _type_of(parameter)) is not None


def _type_of(parameter: Any) -> str:
    return str(parameter.type_descriptor.annotation)


def _values(parameter: Any) -> st.SearchStrategy[str]:
    """Values of a parameter's kind; sometimes of none."""
    kind = _type_of(parameter)
    own: tuple[str, ...]
    if is_number(parameter):
        own = NUMBERS
    elif "datetime.datetime" in kind:
        own = DATES
    elif "timedelta" in kind:
        own = DURATIONS
    elif parameter.name in PATH_NAMES:
        own = PATHS
    else:
        return st.sampled_from(TEXT)
    return st.sampled_from(own) | st.sampled_from(own) | st.sampled_from(TEXT)


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command with up to three hostile values, else with the arguments it needs."""
    path, parameters = draw(st.sampled_from(commands()))
    names = [parameter.name for parameter in parameters]
    hostile = draw(st.sets(st.sampled_from(names), max_size=3)) if names else set()
    line, arguments = list(path), []
    for parameter in parameters:
        option = parameter.opts[0]
        if parameter.name in hostile and getattr(parameter, "is_flag", False):
            line.append(option)
        elif parameter.name in hostile or parameter.required:
            value = ARGUMENTS.get(parameter.name, "main")
            if parameter.name in hostile:
                value = draw(_values(parameter))
            if option.startswith("-"):
                line += [f"{option}={value}"] if option.startswith("--") else [option, value]
            else:
                arguments.append(value)
    return [*line, *(["--"] if draw(st.booleans()) else []), *arguments]


def make_folder(folder: Path, red: Path) -> None:
    """Fill a folder with files that cannot be read, and some that can."""
    folder.mkdir(exist_ok=True)
    content = red.read_bytes()
    for name in ("red.png", "-k", "--help", "new\nline.png", "\x1b[31m.png"):
        (folder / name).write_bytes(content)
    (folder / os.fsdecode(b"\xff.png")).write_bytes(content)
    write_clip(folder / "gate.mp4")
    clip = (folder / "gate.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(clip[: len(clip) // 2])
    (folder / "cut.png").write_bytes(content[: len(content) // 2])
    (folder / "bad.zip").write_bytes(b"PK\x03\x04" + bytes(50))
    (folder / "notes.txt").write_text("notes")
    (folder / "empty").touch()
    (folder / "folder").mkdir()
    (folder / "folder.png").mkdir()
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nosuch")
    os.mkfifo(folder / "pipe")


# Settings

VALUES = (
    *TEXT[:20], *NUMBERS, "{}", "[]", "[1]", "null", "true", '{"a": 1}', '["x"]', "[" * 5000,
    '{"a": {"url": 1}}', '{"main": "nan"}', '["%"]', '["~nosuch"]', "cuda", "meta", "cpu:99",
    "http://", "ftp://x", "unix:///nosuch", "redis://x:99999", "/nosuch/x.db", "notes.txt",
    "folder", "local-dir:folder", "local-dir:", "hf-hub:../..", "fp16", "+14:00", "../etc/passwd",
)  # fmt: skip
_TABLES = ("cameras", "folders", "clocks", "retain", "forget_missing")
_TOML = (
    "1", "1.5", "nan", "-1", "true", "[]", "[1]", "[[]]", "'x'", "''", r'"\u0000"', "'~nosuch/x'",
    r'"\u001b[31m"', "1979-05-27", "{}", "{a = 1}", "{a = {url = 1}}", "{a = {url = 'rtsp://[::1'}}",
    "{a = {path = 1}}", "{a = {path = '.', keyframes = 'x'}}", "{'' = {url = 'rtsp://x/y'}}",
    "{a = {timezone = 'x'}}", "{a = {offset = 1}}", "{main = 'x'}", "{main = '99999999999d'}",
    "99999999999999999999", "[" * 3000, "'" + "x" * 100_000 + "'",
)  # fmt: skip
_FILES = (
    b"", b"\0", b"[", b"a=", b"\xff\xfe", "model='x'".encode("utf-16"), b"model='\xe9'",
    "\ufeffmodel='x'".encode(), b"a.b=1\na=2", b"[[milvus]]\nuri='x'", b"unknown=1",
)  # fmt: skip


def names_of_settings(model: type[BaseModel] = Settings, before: str = "") -> Iterator[str]:
    """Yield every setting, as ``milvus.uri``."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from names_of_settings(kind, f"{before}{name}.")
        else:
            yield before + name


def _line(name: str, value: str) -> bytes:
    table, _, key = name.rpartition(".")
    return (f"[{table}]\n" if table else "").encode() + f"{key} = {value}\n".encode()


#: A variable and its value, which an environment can hold.
variables = st.tuples(
    st.sampled_from([*names_of_settings(), "cameras.a", "clocks.a", "folders.a", "retain.main"]),
    st.sampled_from([value for value in VALUES if "\0" not in value and len(value) < 100_000]),
).map(lambda drawn: {f"SIGHTLINE_{drawn[0].replace('.', '_').upper()}": drawn[1]})
#: The content of sightline.toml, or of .env.
settings_files = st.sampled_from(_FILES) | st.builds(
    _line, st.sampled_from([*names_of_settings(), *_TABLES]), st.sampled_from(_TOML)
)


# Damage


def _of_another_type(path: Path, chance: Random) -> None:
    """Change a value in a JSON file to one of another type, or remove it."""
    spots: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        for key in value if isinstance(value, dict) else range(len(value)):
            spots.append((value, key))
            if isinstance(value[key], dict | list):
                walk(value[key])

    whole = json.loads(path.read_bytes())
    walk(whole)
    if spots:
        part, key = chance.choice(spots)
        part[key] = chance.choice([None, 1, -1, "x", "", [], {}, [1], {"a": 1}, "../x", 10**30])
        path.write_text(json.dumps(whole))


def _other_rows(path: Path, chance: Random) -> None:
    """Change a column, drop a table, or say another version of the schema."""
    connection = sqlite3.connect(path)
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    ).fetchall()
    (table,) = chance.choice(names)
    (column,) = chance.choice(
        connection.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchall()
    )
    value = chance.choice([None, "x", "", -1, 10**18, b"\xff", 1.5, "{", "[]", "\x1b[31m"])
    try:
        match chance.choice(["set", "set", "set", "drop", "version"]):
            case "set":
                connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (value,))
            case "drop":
                connection.execute(f"DROP TABLE {table}")
            case _:
                connection.execute(f"PRAGMA user_version = {chance.choice([0, 1, 99])}")
        connection.commit()
    except sqlite3.Error:  # a constraint or a trigger keeps it as it is
        pass
    finally:
        connection.close()


def _replaced_by_folder(path: Path, chance: Random) -> None:
    path.unlink()
    path.mkdir()


def _linked_to_itself(path: Path, chance: Random) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _overwritten(path: Path, chance: Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(8 if content else 0):
        content[chance.randrange(len(content))] = chance.randrange(256)
    path.write_bytes(bytes(content))


DAMAGES: dict[str, Callable[[Path, Random], Any]] = {
    "cut": lambda path, chance: os.truncate(path, path.stat().st_size // 3),
    "zeroed": lambda path, chance: path.write_bytes(bytes(path.stat().st_size)),
    "emptied": lambda path, chance: os.truncate(path, 0),
    "deleted": lambda path, chance: path.unlink(),
    "other content": lambda path, chance: path.write_bytes(chance.choice([b"[]", b"1", b"\xff"])),
    "overwritten": _overwritten,
    "folder": _replaced_by_folder,
    "loop": _linked_to_itself,
    "nested": lambda path, chance: path.write_bytes(b"[" * 100_000),
}


def damage(data: Path, chance: Random) -> tuple[str, str]:
    """Damage a file of a data directory in some way; return which, and how."""
    files = sorted(path for path in data.rglob("*") if path.is_file())
    kinds = sorted({path.suffix for path in files})
    kind = chance.choice(kinds)  # not to damage mostly thumbnails
    path = chance.choice([file for file in files if file.suffix == kind])
    ways = dict(DAMAGES)
    if kind == ".json" and path.stat().st_size:
        ways = {**ways, **{f"type {n}": _of_another_type for n in range(6)}}
    if kind == ".sqlite" and path.stat().st_size:
        ways = {**ways, **{f"rows {n}": _other_rows for n in range(6)}}
    how = chance.choice(sorted(ways))
    ways[how](path, chance)
    return str(path.relative_to(data)), how


def copy_of(data: Path, to: Path) -> Path:
    """Copy a data directory anew."""
    if to.exists():
        shutil.rmtree(to)
    shutil.copytree(data, to)
    return to

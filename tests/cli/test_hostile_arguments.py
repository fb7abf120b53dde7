"""No argument, name or setting reaches "This is a bug in Sightline"."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.main import app
from tests.cli.conftest import Run, invoke

HOSTILE_TEXT = (
    "", " ", "\x1b[31mred", "a\nb", "nan", "inf", "9" * 400, os.fsdecode(b"\xff"), "x" * 5000,
    "[/x]", "~nosuch/x", "file://[", "file:///%00", "file://x", "s3://[", "https://[::1",
    "rtsp://[::1", "rtsp://a:99999999", "1e9d", "999999d", "interval:nan", "scene:inf", "{}", "{0}",
    "%s", "nlist=nan", "camera=", "nan%", "1,,x", "HNSW,", "[", "[!", "nosuch", "nosuch.jpg",
    "/dev/null", "/proc/self/mem", "a'\"\\", "\u202ename", "\u0663", "nanGiB", "1e400GiB",
)  # fmt: skip
HOSTILE_NUMBERS = (
    "nan", "inf", "-inf", "-1", "0", "1e-320", "1e400", "2147483648", "9223372036854775807",
    "9223372036854775808", "99999999999999999999", "-9223372036854775808", "\u0663", "0x10",
)  # fmt: skip
#: What these start does not end by itself.
ENDLESS = {"serve", "worker", "watch", "demo"}
ARGUMENTS = {"paths": "red.png", "sentence": "a car", "index_type": "FLAT", "folders": "."}


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
    return re.search(r"\b(int|float)\b", str(parameter.type_descriptor.annotation)) is not None


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command with one or two hostile values, else with the arguments it needs."""
    path, parameters = draw(st.sampled_from(commands()))
    hostile = draw(st.sets(st.sampled_from([p.name for p in parameters]), max_size=2))
    line = list(path)
    for parameter in parameters:
        values = HOSTILE_NUMBERS if is_number(parameter) else HOSTILE_TEXT
        if parameter.name in hostile and getattr(parameter, "is_flag", False):
            line.append(parameter.opts[0])
        elif parameter.name in hostile:
            value = draw(st.sampled_from(values))
            option = parameter.opts[0]
            line += [f"{option}={value}"] if option.startswith("--") else [value]
        elif parameter.required:
            line.append(ARGUMENTS.get(parameter.name, "main"))
    return line


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(line=command_lines())
def test_hostile_values_get_a_message(line: list[str], tmp_path: Path) -> None:
    outcome = invoke(*line, "--data-dir", tmp_path / "data")
    assert outcome.exit_code in (0, 1, 2)
    assert "bug in Sightline" not in outcome.err
    assert outcome.exit_code == 0 or outcome.err or outcome.out


def required(parameters: list[Any]) -> list[str]:
    """Return the arguments a command cannot do without."""
    return [ARGUMENTS.get(p.name, "main") for p in parameters if p.required]


NUMBERS = [
    pytest.param((*path, *required(parameters)), parameter.opts[0], value)
    for path, parameters in commands()
    for parameter in parameters
    if is_number(parameter) and parameter.opts[0].startswith("-")
    for value in ("nan", "inf", "-inf")
]


@pytest.mark.parametrize(("command", "option", "value"), NUMBERS)
def test_numbers_that_are_not_finite_are_refused(
    run: Run, tmp_path: Path, command: tuple[str, ...], option: str, value: str
) -> None:
    given = [f"{option}={value}"] if option.startswith("--") else [option, value]
    outcome = run(*command, *given, "--data-dir", tmp_path)
    assert outcome.exit_code == 2
    assert "Invalid value" in outcome.err and option in outcome.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["status", "--data-dir", "~nosuch/x"], "there is no user nosuch"),
        (["ingest", "red.png", "--model", "[/x]"], "[/x]"),
        (["ingest", "red.png", "--workers", "99999999"], "Invalid value"),
        (["index", "advise", "--rows", "9" * 400], "is more than"),
    ],
)
def test_arguments_that_cannot_be_are_named(
    run: Run, arguments: list[str], said: str, tmp_path: Path
) -> None:
    if "--data-dir" not in arguments:
        arguments = [*arguments, "--data-dir", str(tmp_path)]
    outcome = run(*arguments)
    assert outcome.exit_code in (1, 2)
    assert said in outcome.err and "bug" not in outcome.err


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SIGHTLINE_MILVUS_URI", "http://[::1", "milvus.uri"),
        ("SIGHTLINE_MILVUS_URI", "http://host:99999999", "milvus.uri"),
        ("SIGHTLINE_QUEUE", "redis://[::1", "queue"),
        ("SIGHTLINE_CAMERAS", "{", "cameras"),
        ("SIGHTLINE_MEDIA_WORKERS", "999999", "media.workers"),
        ("SIGHTLINE_ENCODER_DEVICE", "[/x]", "SIGHTLINE_ENCODER_DEVICE"),
        ("SIGHTLINE_ENCODER_DEVICE", "cuda:99", "SIGHTLINE_ENCODER_DEVICE"),
    ],
)
def test_settings_that_cannot_be_are_named(
    run: Run, encoder: list[str], tmp_path: Path, variable: str, value: str, said: str
) -> None:
    command = ["ingest", "red.png", *encoder, "--data-dir", str(tmp_path)]
    outcome = run(*command, env={variable: value})
    assert outcome.exit_code == 2
    assert said in outcome.err and "bug" not in outcome.err


def test_a_current_folder_that_was_deleted_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = (
        f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})\n"
        "from cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "status"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 2
    assert "The current folder does not exist any more." in done.stderr

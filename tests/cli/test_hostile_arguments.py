"""No argument, name or setting reaches "This is a bug in Sightline"."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.cli.conftest import Run, invoke
from tests.support.hostile import (
    ARGUMENTS,
    COMMANDS,
    assert_plain,
    command_lines,
    commands,
    copy_of,
    damage,
    is_number,
    make_folder,
    settings_files,
    variables,
)

#: `SIGHTLINE_SOAK=1` tries many more, and others each time.
SOAK = bool(os.environ.get("SIGHTLINE_SOAK"))


def tried(times: int) -> settings:
    """Return how often a test is tried, in the usual tests always with the same values."""
    return settings(
        max_examples=100 * times if SOAK else times,
        deadline=None,
        derandomize=not SOAK,
        phases=[Phase.generate] if not SOAK else list(Phase),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.fixture(scope="module")
def folder(
    media: Path, encoder: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The current folder, full of files that cannot be read."""
    made = tmp_path_factory.mktemp("hostile")
    make_folder(made, media / "red.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        patch.setenv("SIGHTLINE_MILVUS_TIMEOUT_S", "1")
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("SIGHTLINE_MODEL", encoder[1])
        yield made


@pytest.fixture(scope="module")
def whole(folder: Path, encoder: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with something of everything in it."""
    data = tmp_path_factory.mktemp("whole") / "data"
    options = [*encoder, "--data-dir", str(data)]
    for command in (
        ["ingest", "red.png", "gate.mp4", "cut.png", "--camera", "gate"],
        ["search", "red"],
        ["users", "add", "anna@x.org", "--oidc"],
        ["cameras", "add", "c1", "rtsp://127.0.0.1:1/x"],
        ["library", "reembed", "--job"],
        ["library", "retime", "--shift", "+1h", "--yes"],
    ):
        assert invoke(*command, *options).exit_code == 0
    return data


@tried(20)
@given(line=command_lines())
def test_hostile_values_get_a_message(line: list[str], folder: Path, tmp_path: Path) -> None:
    at = line.index("--") if "--" in line else len(line)
    assert_plain(invoke(*line[:at], "--data-dir", tmp_path / "data", *line[at:]))


@tried(20)
@given(variable=variables, command=st.sampled_from(COMMANDS[:24]))
def test_hostile_variables_get_a_message(
    variable: dict[str, str], command: list[str], folder: Path, tmp_path: Path
) -> None:
    assert_plain(invoke(*command, env={"SIGHTLINE_DATA_DIR": str(tmp_path / "data"), **variable}))


@tried(20)
@given(
    content=settings_files,
    name=st.sampled_from(["sightline.toml", "sightline.toml", ".env"]),
    command=st.sampled_from(COMMANDS[:24]),
)
def test_hostile_settings_files_get_a_message(
    content: bytes, name: str, command: list[str], folder: Path, tmp_path: Path
) -> None:
    path = folder / name
    path.write_bytes(content)
    try:
        assert_plain(invoke(*command, "--data-dir", tmp_path / "data"))
    finally:
        path.unlink()


@tried(15)
@given(seed=st.integers(0, 2**32), command=st.sampled_from(COMMANDS))
def test_a_damaged_library_gets_a_message(
    seed: int, command: list[str], whole: Path, encoder: list[str], tmp_path: Path
) -> None:
    data = copy_of(whole, tmp_path / "data")
    note(str(damage(data, Random(seed))))
    assert_plain(invoke(*command, *encoder, "--data-dir", data))


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"COLUMNS": "0"}, "Missing argument"),
        ({"COLUMNS": "x"}, "Missing argument"),
        ({"PYTHONIOENCODING": "ascii"}, "Missing argument"),
        ({"HOME": "/nosuch"}, "Missing argument"),
    ],
)
def test_a_message_reaches_any_terminal(environment: dict[str, str], said: str) -> None:
    done = started(["ingest"], **environment)
    assert done.returncode == 2 and said in done.stderr


def test_json_reaches_a_stream_of_another_encoding(tmp_path: Path) -> None:
    data = str(tmp_path / "caf\u00e9")
    done = started(["status", "--json", "--data-dir", data], PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["data_dir"] == data


def started(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "sightline.cli.main", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
    )


def test_control_characters_in_unknown_options_are_escaped(run: Run) -> None:
    for line in (["--\u202ex"], ["search", "a", "b\u202e\x1b[31m"], ["nosuch\u202e"]):
        outcome = run(*line)
        assert_plain(outcome)
        assert "\\u202e" in outcome.err


def test_what_is_nobodys_fault_is_no_bug(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error, said in (
        (OSError(errno.EIO, "Input/output error"), "refused something: Input/output error."),
        (MemoryError(), "There is not enough memory for this."),
    ):
        monkeypatch.setattr("sightline.cli.library.library._status", raising(error))
        outcome = run("status", "--data-dir", tmp_path)
        assert outcome.exit_code == 1
        assert said in outcome.err and "bug" not in outcome.err
        assert "Its details are in" in outcome.err


def raising(error: Exception) -> Callable[..., None]:
    def fail(*arguments: object) -> None:
        raise error

    return fail


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
        "from sightline.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "status"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 2
    assert "The current folder does not exist any more." in done.stderr

"""`sightline users` and `sightline audit`, and that serve stays on the loopback address."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from search_core.access.users import Users, verify_password
from search_core.errors import UsageError
from search_core.settings import load_settings
from sightline.cli.main import app
from sightline.cli.serve.serve import listening_at
from tests.cli.conftest import Outcome, Run

PASSWORD = "four words are long"


@pytest.fixture
def users(tmp_path: Path) -> Users:
    return Users(tmp_path / "users.json")


def given(data_dir: Path, *arguments: str, password: str = PASSWORD) -> Outcome:
    """Run a command with a password on its standard input."""
    command = ["users", *arguments, "--data-dir", str(data_dir)]
    result = CliRunner().invoke(app, command, input=f"{password}\n")
    assert "Traceback" not in result.output
    return Outcome(result.exit_code, result.stdout, result.stderr)


def test_a_password_is_one_line(tmp_path: Path, users: Users) -> None:
    for ending in ("\n", "\r\n"):
        refused = given(tmp_path, "add", "ann", password=f"{PASSWORD}{ending}{PASSWORD}")
        assert refused.exit_code == 2
        assert "more than one line" in refused.err
    assert not users.exist


def test_users_are_added_changed_and_removed(run: Run, tmp_path: Path, users: Users) -> None:
    here = ("--data-dir", tmp_path)
    added = given(tmp_path, "add", "Ann", "--role", "operator", "--camera", "gate")
    assert added.out == "Added ann, operator.\n"
    assert "asks everybody to log in" in added.err
    assert "Nobody is an admin yet" in added.err
    assert verify_password(users.get("ann").hashed, PASSWORD)
    assert stat.S_IMODE(users.path.stat().st_mode) == 0o600

    assert run("users", "add", "bob@example.com", "--oidc", *here).exit_code == 0
    [ann, bob] = run("users", "list", "--json", *here).json
    assert (ann["name"], ann["role"], ann["cameras"]) == ("ann", "operator", ["gate"])
    assert (bob["login"], bob["cameras"]) == ("oidc", None)
    assert "argon2" not in json.dumps([ann, bob])
    assert "gate" in run("users", "list", *here).out

    assert "is admin" in run("users", "set-role", "ann", "admin", *here).out
    assert "dock, yard" in run("users", "cameras", "ann", "dock", "yard", *here).out
    assert users.get("ann").cameras == ("dock", "yard")
    assert "all cameras" in run("users", "cameras", "ann", "--all", *here).out
    assert "no camera" in run("users", "cameras", "ann", "--none", *here).out
    assert users.get("ann").cameras == ()
    assert given(tmp_path, "passwd", "ann", password="another long one").exit_code == 0
    assert verify_password(users.get("ann").hashed, "another long one")
    assert run("users", "remove", "ann", "--yes", *here).exit_code == 0
    assert "Nobody can log in" in run("users", "remove", "bob@example.com", "--yes", *here).err
    assert users.exist
    assert users.all() == []

    changes = run("audit", "--action", "users", "--json", *here).json
    assert len(changes) == 9
    assert changes[-1]["detail"]["added"] == "ann"
    assert "@" in changes[0]["who"]
    assert PASSWORD.encode() not in (tmp_path / "audit.sqlite").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["add", "ann", "--role", "owner"], "'owner' is not a role"),
        (["add", "a b"], "cannot name a user"),
        (["add", "ann", "--oidc"], "not an e-mail address"),
        (["passwd", "ann"], "no user ann"),
        (["remove", "ann", "--yes"], "no user ann"),
        (["set-role", "ann", "admin"], "no user ann"),
        (["cameras", "ann", "gate", "--all"], "Name the cameras"),
    ],
)
def test_what_cannot_be_done_is_told(
    tmp_path: Path, users: Users, arguments: list[str], why: str
) -> None:
    outcome = given(tmp_path, *arguments)

    assert outcome.exit_code == 2
    assert why in outcome.err
    assert not users.exist


def test_a_password_is_never_an_argument_and_never_short(tmp_path: Path, users: Users) -> None:
    assert "from 10 to" in given(tmp_path, "add", "ann", password="short").err
    assert "There is no password" in given(tmp_path, "add", "ann", password="").err
    assert given(tmp_path, "add", "ann", "--password", PASSWORD).exit_code == 2
    assert not users.exist


def test_nothing_was_done_yet(run: Run, tmp_path: Path) -> None:
    here = ("--data-dir", tmp_path)
    assert "Nothing like that" in run("audit", *here).out
    assert run("audit", "--json", *here).json == []
    assert "not an action" in run("audit", "--action", "stroll", *here).err
    assert "loopback address only" in run("users", "list", *here).out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7"])
def test_serve_refuses_other_addresses_without_users(
    run: Run, tmp_path: Path, address: str
) -> None:
    refused = run("serve", "--address", address, "--data-dir", tmp_path)

    assert refused.exit_code == 2
    assert "Without users the dashboard listens on 127.0.0.1 only" in refused.err
    assert "sightline users add" in refused.err


def test_with_users_other_addresses_are_listened_at(tmp_path: Path, users: Users) -> None:
    settings = load_settings(data_dir=tmp_path)
    assert listening_at("localhost", settings).url(80) == "http://127.0.0.1:80"
    assert "server.allowedHosts" not in listening_at("::1", settings).options
    users.add("ann", "admin", None, PASSWORD)

    everywhere = listening_at("0.0.0.0", settings)
    assert everywhere.url(80) == "http://127.0.0.1:80"
    assert everywhere.options["server.address"] == "0.0.0.0"
    assert everywhere.options["server.allowedHosts"] == "*"
    assert listening_at("[::]", settings).url(80) == "http://[::1]:80"
    with pytest.raises(UsageError, match="not an IP address"):
        listening_at("example.com", settings)
    users.remove("ann")
    with pytest.raises(UsageError, match="Without users"):
        listening_at("0.0.0.0", settings)

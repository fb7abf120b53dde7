from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from search_core.access.users import Users, hash_password, verify_password
from search_core.errors import FilterError, SettingsError, UsageError

PASSWORD = "four words are long"


@pytest.fixture
def users(tmp_path: Path) -> Users:
    return Users(tmp_path / "users.json")


def test_a_user_is_kept_with_a_hash_that_only_the_owner_can_read(users: Users) -> None:
    assert not users.exist
    users.add("Ann@Example.com", "operator", ["gate", "gate"], PASSWORD)

    [ann] = Users(users.path).all()
    assert (ann.name, ann.role, ann.cameras) == ("ann@example.com", "operator", ("gate",))
    assert ann.hashed.startswith("$argon2id$")
    assert verify_password(ann.hashed, PASSWORD)
    assert not verify_password(ann.hashed, PASSWORD + " ")
    assert PASSWORD not in users.path.read_text()
    assert stat.S_IMODE(users.path.stat().st_mode) == 0o600
    assert "argon2" not in repr(ann)
    assert "hashed" not in ann.to_dict()
    assert users.find(" ANN@example.COM ") == ann


def test_changes_are_seen_at_once_by_others(users: Users) -> None:
    users.add("ann", "viewer", None, PASSWORD)
    reader = Users(users.path)
    before = reader.get("ann")

    users.set_role("ann", "admin")
    users.set_cameras("ann", [])
    assert (reader.get("ann").role, reader.get("ann").cameras) == ("admin", ())
    assert reader.get("ann").stamp == before.stamp
    users.set_password("ann", "another long one")
    assert reader.get("ann").stamp != before.stamp
    users.remove("ann")
    assert reader.find("ann") is None
    assert reader.exist  # the last one gone, there is still a login
    with pytest.raises(UsageError, match="no user ann"):
        users.remove("ann")


def test_who_logs_in_elsewhere_has_no_password(users: Users) -> None:
    ann = users.add("ann@example.com", "viewer")

    assert ann.logs_in_elsewhere
    assert not verify_password(ann.hashed, "")


@pytest.mark.parametrize("name", ["", " ", "a b", "../x", "-x", "x" * 129, "a\nb", "ann\x00"])
def test_names_that_could_mislead_are_refused(users: Users, name: str) -> None:
    with pytest.raises(UsageError):
        users.add(name, "viewer")
    assert not users.exist


def test_what_cannot_be_kept_is_refused(users: Users) -> None:
    with pytest.raises(UsageError, match="from 10 to") as refused:
        users.add("ann", "viewer", None, "short")
    assert "short" not in str(refused.value)
    with pytest.raises(FilterError):
        users.add("ann", "viewer", ["gate\x01"])
    users.add("ann", "viewer", None, PASSWORD)
    with pytest.raises(UsageError, match="already"):
        users.add("ANN", "admin", None, PASSWORD)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"users": []}', '{"users": {"ann": {"role": "owner"}}}', "\x00"],
)
def test_a_broken_file_lets_nobody_in(users: Users, text: str) -> None:
    users.add("ann", "viewer", None, PASSWORD)
    users.path.write_text(text)

    assert users.exist
    with pytest.raises(SettingsError, match="cannot be read"):
        users.find("ann")


def test_none_is_lost_when_several_are_added_at_once(tmp_path: Path) -> None:
    def add(number: int) -> None:
        Users(tmp_path / "users.json").add(f"user{number}", "viewer")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    assert len(json.loads((tmp_path / "users.json").read_text())["users"]) == 24


def test_comparing_with_nobodys_hash_costs_as_much() -> None:
    from argon2 import extract_parameters

    from search_core.access.users import _nobodys_hash

    assert extract_parameters(_nobodys_hash()) == extract_parameters(hash_password(PASSWORD))
    assert not verify_password("not a hash", PASSWORD)

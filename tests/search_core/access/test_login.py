from __future__ import annotations

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from search_core.access import login as logins
from search_core.access.audit_log import AuditLog
from search_core.access.login import Login
from search_core.access.roles import Access
from search_core.errors import LoginRefused
from search_core.settings import Settings, load_settings
from tests.search_core.access.conftest import Clock

PASSWORD = "four words are long"
HERE = "192.0.2.1"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


@pytest.fixture
def login(settings: Settings, audit: AuditLog, clock: Clock) -> Iterator[Login]:
    made = Login(settings, audit, clock)
    made.users.add("ann", "operator", ["gate"], PASSWORD)
    yield made
    made.close()


def fail(login: Login, name: str, address: str = HERE) -> str:
    with pytest.raises(LoginRefused) as refused:
        login.log_in(name, "not the password", address)
    return refused.value.message


def test_a_token_is_whose_session_it_is(login: Login, settings: Settings) -> None:
    token = login.log_in(" Ann", PASSWORD, HERE)

    assert login.who(token) == Access("ann", "operator", ("gate",))
    assert login.who(token + "x") is None
    assert login.who("") is None
    assert stat.S_IMODE(settings.logins_path.stat().st_mode) == 0o600
    kept = b"".join(path.read_bytes() for path in settings.data_dir.glob("logins.sqlite*"))
    assert token.encode() not in kept


def test_nothing_tells_whether_the_name_or_the_password_was_wrong(login: Login) -> None:
    login.users.add("bob@example.com", "viewer")  # logs in elsewhere

    assert len({fail(login, name) for name in ("ann", "nobody", "bob@example.com", "")}) == 1


def test_asking_for_a_session_is_no_use_of_it(login: Login, clock: Clock) -> None:
    token = login.log_in("ann", PASSWORD, HERE)

    for _ in range(3):
        clock.now += logins.IDLE_S / 2 - 1
        left = login.who(token, used=False)

    assert left is None


def test_sessions_end(login: Login, clock: Clock) -> None:
    def session() -> str:
        return login.log_in("ann", PASSWORD, HERE)

    out, idle, old, stays = session(), session(), session(), session()
    login.log_out(out)
    assert login.who(out) is None
    assert login.who(stays)

    clock.now += logins.IDLE_S - 1
    assert login.who(stays)
    assert login.who(old)
    clock.now += 2
    assert login.who(idle) is None
    while clock.now < 1_000_000 + logins.LONGEST_S:
        assert login.who(old)
        clock.now += logins.IDLE_S / 2
    clock.now += 1
    assert login.who(old) is None


def test_another_password_and_removal_end_sessions_at_once(login: Login) -> None:
    token = login.log_in("ann", PASSWORD, HERE)
    login.users.set_role("ann", "viewer")
    login.users.set_cameras("ann", None)
    assert login.who(token) == Access("ann", "viewer")
    login.users.set_password("ann", "another long one")
    assert login.who(token) is None

    token = login.log_in("ann", "another long one", HERE)
    login.users.remove("ann")
    assert login.who(token) is None
    login.users.add("ann", "admin", None, "another long one")
    assert login.who(token) is None


def test_each_failure_beyond_some_waits_twice_as_long(login: Login, clock: Clock) -> None:
    for _ in range(logins.BY_NAME.free):
        assert "do not belong together" in fail(login, "ann")
    waits = []
    for number in range(12):
        refused = fail(login, "ann", f"192.0.2.{number}")
        assert "Too many attempts" in refused
        before = clock.now
        while "Too many" in fail(login, "ann", f"198.51.100.{number}"):
            clock.now += 1
        waits.append(clock.now - before)
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert max(waits) == logins.BY_NAME.longest_s

    # The right password waits like any other, and then all is forgotten.
    with pytest.raises(LoginRefused, match="Too many"):
        login.log_in("ann", PASSWORD, HERE)
    clock.now += logins.BY_NAME.longest_s
    assert login.log_in("ann", PASSWORD, HERE)
    assert "do not belong" in fail(login, "ann")


def test_one_address_cannot_try_many_names(login: Login, clock: Clock) -> None:
    for number in range(logins.BY_ADDRESS.free):
        assert "do not belong" in fail(login, f"name{number}")
    assert "Too many" in fail(login, "one more")
    with pytest.raises(LoginRefused):
        login.log_in("ann", PASSWORD, HERE)
    # Somebody elsewhere is not held up, and a good login here does not wipe the slate clean.
    assert login.log_in("ann", PASSWORD, "192.0.2.9")
    clock.now += 1
    assert login.log_in("ann", PASSWORD, HERE)
    clock.now += 1
    fail(login, "name1")
    assert "Too many" in fail(login, "name2")
    clock.now += logins.FORGOTTEN_S + 1
    assert "do not belong" in fail(login, "name2")


def test_attempts_made_at_once_are_all_counted(login: Login) -> None:
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: fail(login, "ann"), range(16)))
    assert sum("do not belong" in message for message in said) == logins.BY_NAME.free


def test_logins_are_written_down_without_what_was_typed(
    login: Login, audit: AuditLog, settings: Settings
) -> None:
    fail(login, "ann")
    fail(login, "my secret password")
    token = login.log_in("ann", PASSWORD, HERE)
    login.log_out(token, HERE)

    events = [(e.who, e.action, e.address) for e in audit.events()[::-1]]
    assert events == [
        ("ann", "login-failed", HERE),
        ("?", "login-failed", HERE),
        ("ann", "login", HERE),
        ("ann", "logout", HERE),
    ]
    files = list(settings.data_dir.glob("*.sqlite*"))
    assert len(files) >= 2
    kept = b"".join(path.read_bytes() for path in files)
    for secret in (PASSWORD, "my secret password", token):
        assert secret.encode() not in kept


def test_only_who_was_added_as_such_comes_from_elsewhere(login: Login) -> None:
    login.users.add("bob@example.com", "viewer", ["gate"])

    assert login.known_elsewhere_as("Bob@Example.com") == Access(
        "bob@example.com", "viewer", ("gate",)
    )
    assert login.known_elsewhere_as("ann") is None
    assert login.known_elsewhere_as("eve@example.com") is None

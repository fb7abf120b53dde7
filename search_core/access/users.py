"""The users: names, roles, cameras and password hashes, in one file only its owner can read.

Passwords are kept as argon2id hashes, made and compared without telling by the time what was wrong.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from search_core.access.roles import ROLES, Access, Role
from search_core.errors import SettingsError, UsageError, in_words
from search_core.schema.entity import CAMERA_MAX_LENGTH
from search_core.schema.filters import quoted
from search_core.system.locks import file_lock, write_privately
from search_core.system.machine import now_ms

MIN_CHARACTERS = 10
MAX_CHARACTERS = 1000
#: A comparison takes 64 MB and some 50 ms of a core: no more than these at once.
_AT_ONCE = threading.BoundedSemaphore(2)
_hasher = PasswordHasher()


def check_password(password: str) -> str:
    """Return a password that may be used; raises UsageError, which does not repeat it."""
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise UsageError(
            "A password has from {least} to {most:,} characters.",
            "Several words in a row are long, and easy to remember.",
            least=MIN_CHARACTERS,
            most=MAX_CHARACTERS,
        )
    return password


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password that :func:`check_password` accepts."""
    with _AT_ONCE:
        return _hasher.hash(check_password(password).encode("utf-8", "surrogatepass"))


def verify_password(hashed: str, password: str) -> bool:
    """Whether a password is the one that was hashed.

    Without a hash, for a name that nobody has, it takes as long and is False.
    """
    given = password[:MAX_CHARACTERS].encode("utf-8", "surrogatepass")
    with _AT_ONCE:
        try:
            same = _hasher.verify(hashed or _nobodys_hash(), given)
        except (Argon2Error, InvalidHashError):
            return False
    return bool(hashed) and same


@cache
def _nobodys_hash() -> str:
    return _hasher.hash(b"nobody has this password, and no comparison with it succeeds")


_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,127}")
_MAX_CAMERAS = 1000


@dataclass(frozen=True, slots=True)
class User:
    """One user.

    ``cameras`` are those that may be seen, None for all. ``hashed`` is the password's argon2 hash;
    who has none logs in elsewhere (OIDC), and the name is the e-mail address known there.
    ``stamp`` changes with the password: sessions begun before it are over. ``added_ms`` is epoch
    milliseconds.
    """

    name: str
    role: Role
    cameras: tuple[str, ...] | None = None
    hashed: str = field(default="", repr=False)
    stamp: str = field(default="", repr=False)
    added_ms: int = 0

    @property
    def logs_in_elsewhere(self) -> bool:
        """Whether it is an OIDC provider that knows this user's password."""
        return not self.hashed

    @property
    def access(self) -> Access:
        """What this user may do and see."""
        return Access(self.name, self.role, self.cameras)

    def to_dict(self) -> dict[str, Any]:
        """Return what people may be shown, as plain JSON values."""
        return {
            "name": self.name,
            "role": self.role,
            "cameras": None if self.cameras is None else list(self.cameras),
            "login": "oidc" if self.logs_in_elsewhere else "password",
            "added_ms": self.added_ms,
        }


def check_name(name: str) -> str:
    """Return a user's name as it is stored, in lower case; raises UsageError."""
    known_as = unicodedata.normalize("NFKC", name).strip().lower()
    if not _NAME.fullmatch(known_as):
        raise UsageError(
            "{name!r} cannot name a user.",
            "Use letters, digits and . _ @ + - (an e-mail address is fine), at most 128.",
            name=name,
        )
    return known_as


def check_role(role: str) -> Role:
    """Return a role; raises UsageError for anything else."""
    for known in ROLES:
        if role == known:
            return known
    raise UsageError(
        "{role!r} is not a role.", "Roles are {roles}.", role=role, roles=", ".join(ROLES)
    )


def check_cameras(cameras: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return cameras as they are stored, None for all; raises UsageError."""
    if cameras is None:
        return None
    kept = tuple(dict.fromkeys(cameras))
    if len(kept) > _MAX_CAMERAS:
        raise UsageError(
            "{count:,} cameras are too many; {most:,} may be named.",
            count=len(kept),
            most=_MAX_CAMERAS,
        )
    for name in kept:
        quoted(name)  # a name that cannot be filtered by would hide everything
        if len(name.encode()) > CAMERA_MAX_LENGTH:
            raise UsageError("No camera is called {name!r} …: that is too long.", name=name[:20])
    return kept


class Users:
    """The users in the file at ``path``; safe for several processes and threads.

    Every method raises SettingsError when the file cannot be read: then nobody gets in.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: tuple[tuple[int, ...], dict[str, User]] = ((), {})

    @property
    def exist(self) -> bool:
        """Whether there is a file of users, though it may name none: then there is a login."""
        return self.path.exists()

    def all(self) -> list[User]:
        """Return all users by name."""
        found = self._read()
        return [found[name] for name in sorted(found)]

    def find(self, name: str) -> User | None:
        """Return one user, None when there is none of that name."""
        return self._read().get(unicodedata.normalize("NFKC", name).strip().lower())

    def get(self, name: str) -> User:
        """Return one user; raises UsageError when there is none of that name."""
        found = self.find(name)
        if found is None:
            raise UsageError(
                "There is no user {name}.", "`sightline users list` names them.", name=name
            )
        return found

    def add(
        self,
        name: str,
        role: Role,
        cameras: Iterable[str] | None = None,
        password: str | None = None,
    ) -> User:
        """Add a user, who logs in elsewhere when there is no password; raises UsageError."""
        hashed = "" if password is None else hash_password(password)
        known_as, at_ms = check_name(name), now_ms()
        user = User(known_as, role, check_cameras(cameras), hashed, _new_stamp(), at_ms)
        with self._changing() as users:
            if known_as in users:
                raise UsageError(
                    "There is a user {name} already.",
                    "`sightline users` changes a password, a role and cameras, and removes users.",
                    name=known_as,
                )
            users[known_as] = user
        return user

    def remove(self, name: str) -> None:
        """Remove a user, whose sessions are over at once; raises UsageError."""
        known_as = self.get(name).name
        with self._changing() as users:
            users.pop(known_as, None)

    def set_password(self, name: str, password: str) -> None:
        """Give a user another password, which ends the sessions; raises UsageError."""
        hashed = hash_password(password)
        self._change(name, lambda user: replace(user, hashed=hashed, stamp=_new_stamp()))

    def set_role(self, name: str, role: Role) -> None:
        """Give a user another role, at once; raises UsageError."""
        self._change(name, lambda user: replace(user, role=role))

    def set_cameras(self, name: str, cameras: Iterable[str] | None) -> None:
        """Let a user see these cameras, or all for None, at once; raises UsageError."""
        kept = check_cameras(cameras)
        self._change(name, lambda user: replace(user, cameras=kept))

    def _change(self, name: str, change: Callable[[User], User]) -> None:
        known_as = self.get(name).name
        with self._changing() as users:
            if known_as in users:
                users[known_as] = change(users[known_as])

    def _read(self) -> dict[str, User]:
        try:
            found = self.path.stat()
            # Writers put a new file in its place, which has another inode.
            state = (found.st_ino, found.st_mtime_ns, found.st_size)
            known_state, users = self._known
            if state != known_state:
                users = _parsed(self.path.read_text(encoding="utf-8"))
                self._known = (state, users)
            return users
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise SettingsError(
                "The users in {path} cannot be read: {reason}.",
                "Nobody can log in until the file is mended, or put back from a backup.",
                path=self.path,
                reason=_reason(error),
            ) from None

    @contextmanager
    def _changing(self) -> Iterator[dict[str, User]]:
        """Hold the file for one change, written whole or not at all."""
        with file_lock(self.path.with_suffix(".lock"), private=True):
            users = dict(self._read())
            yield users
            write_privately(self.path, _written(users))


def _reason(error: Exception) -> str:
    """Return why a file cannot be read, without what is in it."""
    if isinstance(error, OSError):
        return in_words(error)
    if isinstance(error, UnicodeDecodeError | json.JSONDecodeError):
        return "it is cut or overwritten"
    return "it does not say of each user what it must"


def _parsed(text: str) -> dict[str, User]:
    users: dict[str, User] = {}
    for name, record in json.loads(text)["users"].items():
        cameras = record["cameras"]
        if cameras is not None and not isinstance(cameras, list):
            raise ValueError(f"the cameras of {name} are no list")
        users[check_name(name)] = User(
            check_name(name),
            check_role(record["role"]),
            None if cameras is None else tuple(map(str, cameras)),
            str(record["hashed"]),
            str(record["stamp"]),
            int(record["added_ms"]),
        )
    return users


def _written(users: dict[str, User]) -> str:
    records = {name: {**asdict(user)} for name, user in sorted(users.items())}
    for record in records.values():
        del record["name"]
    return json.dumps({"users": records}, indent=1, ensure_ascii=False)


def _new_stamp() -> str:
    return secrets.token_hex(8)

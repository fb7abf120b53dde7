"""Passwords: argon2id hashes, made and compared without telling by the time what was wrong."""

from __future__ import annotations

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from search_core.errors import UsageError

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

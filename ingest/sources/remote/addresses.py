"""Addresses as they may be shown and kept: without what gives access to what is behind them."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus, urlsplit, urlunsplit

WEB = ("http", "https")
#: Parameters of a query that give access: passwords, tokens, the parts of signed addresses.
_SECRET = re.compile(
    r"sig|token|key|secret|auth|pass|pwd|cred|policy|session|code|^x-(amz|goog)-|^expires$", re.I
)
#: Values longer than this are taken for secrets, whatever they are called.
_LONGEST_PLAIN = 64


def without_secrets(url: str) -> str:
    """Return an address without user and password, and without what in its query gives access."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in WEB:
        bucket, slash, key = rest.partition("/")
        return f"{scheme}://{bucket.rpartition('@')[2]}{slash}{key}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("?")[0].rpartition("@")[2]
    kept = "&".join(piece for piece in parts.query.split("&") if not _is_secret(piece))
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, kept, ""))


def has_secrets(url: str) -> bool:
    """Whether an address contains credentials."""
    return without_secrets(url) != url.partition("#")[0]


def _is_secret(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return len(value) > _LONGEST_PLAIN or _SECRET.search(unquote_plus(name)) is not None

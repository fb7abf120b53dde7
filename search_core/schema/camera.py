"""The settings of a live camera: its address, and how long its keyframes are kept.

An address usually holds a name and a password. It stays inside SecretStr until a decoding process
is given it over a pipe; only :func:`public_address` is shown, stored or logged.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from search_core.errors import UsageError
from search_core.schema.clocks import Duration

SCHEMES = ("rtsp", "rtsps")
Transport = Literal["tcp", "udp"]


def check_address(url: str) -> str:
    """Return a camera's address; raises UsageError, which does not repeat it."""
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme.lower() in SCHEMES and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or _is_cut_short(url):
        raise UsageError(
            "Not a camera's address.",
            "It looks like rtsp://user:password@host:554/path; / ? # and @ in a password are "
            "written %2F %3F %23 and %40.",
        )
    return url.strip()


def _is_cut_short(url: str) -> bool:
    """Whether a / ? or # in a password ends the host too soon: what comes after holds the @.

    Then what is taken for the host is a user's name, or part of a password.
    """
    parts = urlsplit(url.strip())
    after = url.partition(parts.netloc)[2]
    return "@" in after and not {".", ":"} & set(parts.hostname or "")


def public_address(url: str) -> str:
    """Return where a camera is without what might be secret: scheme, host and port.

    Cameras put passwords not only before the @, but into queries and paths as well.
    """
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme.lower()}://{host}{f':{parts.port}' if parts.port else ''}"


def with_login(url: str, user: str, password: str) -> str:
    """Return an address with this user and password in the place of what it has; as typed.

    Without either it stays as it is. Raises UsageError for what is not an address, and for
    a password without a user.
    """
    if not user and not password:
        return check_address(url)
    if not user:
        raise UsageError("A password needs a user name.", "Give the user name as well.")
    parts = urlsplit(check_address(url))
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    host = parts.netloc.rpartition("@")[2]
    return check_address(urlunsplit(parts._replace(netloc=f"{login}@{host}")))


def _checked(url: SecretStr) -> SecretStr:
    try:
        return SecretStr(check_address(url.get_secret_value()))
    except UsageError as error:
        raise ValueError(f"{error.message} {error.hint}") from None


class CameraSettings(BaseModel):
    """A table ``[cameras.NAME]``: ``url``, and if wanted ``retain``, ``library``, ``transport``.

    Without ``retain`` its keyframes are kept for ever; ``library`` is the usual one if not given.
    ``regions`` are as for an ingest.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: Annotated[SecretStr, AfterValidator(_checked)]
    retain: Duration | None = None
    library: str | None = None
    transport: Transport = "tcp"
    regions: str = "off"

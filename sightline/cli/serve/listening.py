"""Where the dashboard listens; no address but loopback without a login."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from search_core.access.users import Users
from search_core.errors import ServeError, UsageError
from search_core.settings import Settings

LOOPBACK = "127.0.0.1"
PORTS_TRIED = 100


@dataclass(frozen=True, slots=True)
class Listening:
    """An IP address of this machine to listen at; ``reached_at`` is where this machine asks."""

    address: str
    reached_at: str
    has_login: bool

    @property
    def options(self) -> dict[str, str]:
        """Streamlit's options.

        Under which names browsers may ask is limited where there is no login: a hostile page must
        not have its own name lead here. With one that gains it nothing: a cookie is for one name.
        """
        options = {"server.address": self.address, "browser.serverAddress": self.reached_at}
        return options if not self.has_login else {**options, "server.allowedHosts": "*"}

    def url(self, port: int) -> str:
        """Return where a browser on this machine finds the dashboard."""
        host = f"[{self.reached_at}]" if ":" in self.reached_at else self.reached_at
        return f"http://{host}:{port}"

    def free_port_from(self, first: int) -> int:
        """Return the first free port from one on; raises ServeError, also for another's address."""
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        for port in range(first, min(first + PORTS_TRIED, 65536)):
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self.address, port))
                except OSError:
                    continue
                return port
        raise ServeError(
            f"No port from {first} on is free at {self.address}.",
            "Choose another with --port, or an --address of this machine.",
        )


def listening_at(address: str, settings: Settings) -> Listening:
    """Return where to listen.

    Raises UsageError for what is not an address, and for any but the loopback address while
    there is no login.
    """
    try:
        ip = ipaddress.ip_address(LOOPBACK if address == "localhost" else address.strip("[]"))
    except ValueError:
        raise UsageError(
            f"{address!r} is not an IP address.", "Use one of this machine, or 0.0.0.0 for all."
        ) from None
    users = Users(settings.users_path)
    if not (ip.is_loopback or settings.access.without_login or users.all()):
        raise UsageError(
            f"Without users the dashboard listens on {LOOPBACK} only, not at {address}.",
            "`sightline users add NAME --role admin` adds one, who then has to log in.",
        )
    anywhere = LOOPBACK if ip.version == 4 else "::1"
    return Listening(str(ip), anywhere if ip.is_unspecified else str(ip), users.exist)

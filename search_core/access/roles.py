"""Roles, what each of them may do, and one person's access."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from search_core.errors import NotAllowed
from search_core.messages import Message

Role = Literal["viewer", "operator", "admin"]
Right = Literal["search", "ingest", "tag", "delete", "index", "users"]

ROLES: tuple[Role, ...] = get_args(Role)
RIGHTS: dict[Role, tuple[Right, ...]] = {
    "viewer": ("search",),
    "operator": ("search", "ingest", "tag"),
    "admin": ("search", "ingest", "tag", "delete", "index", "users"),
}
_NEEDED: dict[Right, Role] = {
    right: next(role for role in ROLES if right in RIGHTS[role]) for right in get_args(Right)
}


@dataclass(frozen=True, slots=True)
class Access:
    """Who asks: a name, a role, and the cameras that may be seen, None for all of them."""

    name: str
    role: Role
    cameras: tuple[str, ...] | None = None

    def may(self, right: Right) -> bool:
        """Whether the role allows something."""
        return right in RIGHTS[self.role]

    def require(self, right: Right, doing: str) -> None:
        """Raise NotAllowed unless the role allows it; ``doing`` says what, as in "deleting"."""
        if not self.may(right):
            raise NotAllowed(
                "{doing} is not for a {role}.",
                Message("It takes the role {role}.", role=_NEEDED[right]),
                doing=doing.capitalize(),
                role=self.role,
            )

    def require_all_cameras(self, doing: str) -> None:
        """Raise NotAllowed unless every camera may be seen."""
        if self.cameras is not None:
            raise NotAllowed(
                "{doing} is for those who may see all cameras.",
                "An administrator can allow them: `sightline users cameras`.",
                doing=doing.capitalize(),
            )

    @property
    def may_remove(self) -> bool:
        """Whether what is deleted may be looked after, in the trash say, which is one for all.

        Whether a picture is shown elsewhere too cannot be told by who does not see all of it.
        """
        return self.may("delete") and self.cameras is None

    def sees(self, camera: str) -> bool:
        """Whether what a camera took may be seen."""
        return self.cameras is None or camera in self.cameras


#: Whoever uses a dashboard without login, which only this machine reaches.
LOCAL = Access("local", "admin")

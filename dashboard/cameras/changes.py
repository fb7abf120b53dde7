"""What an administrator of all cameras changes of them: allowed, written down, and then done.

It is asked when it is done, not only when its button is drawn: a role may have changed meanwhile.
No address gets into the audit log but its public part.
"""

from __future__ import annotations

from datetime import timedelta

from dashboard import resources
from dashboard.auth import identity
from dashboard.i18n.gettext import N_, _
from ingest.cameras.camera import Camera
from ingest.cameras.roster import Roster
from search_core.schema.camera import public_address
from search_core.schema.durations import format_duration
from search_core.settings import load_settings
from search_core.store.endpoint import running_serve


def roster() -> Roster:
    """Return the roster, sightline.toml read anew: it may have been changed since the start."""
    return Roster(load_settings())


def require_cameras(doing: str) -> None:
    """Raise NotAllowed unless the one who looks may change cameras."""
    access = identity.current()
    access.require("delete", doing)
    access.require_all_cameras(doing)


def add_camera(camera: Camera) -> None:
    """Add a camera that the roster made; raises NotAllowed, UsageError, EncoderMismatch."""
    require_cameras("adding a camera")
    resources.store().ensure_library(camera.library, resources.encoder().identity)
    resources.forget_what_was_read()  # it may be the first library
    detail = {"added": camera.name, "address": camera.address, "kept": lasting(camera.retain)}
    identity.record("cameras", camera.library, detail)
    roster().add(camera)


def change_address(camera: Camera, address: str) -> None:
    """Give a camera another address; raises NotAllowed, UsageError."""
    require_cameras("changing a camera")
    known = roster()
    known.get(camera.name)
    detail = {"changed": camera.name, "address": public_address(address)}
    identity.record("cameras", camera.library, detail)
    known.change(camera.name, address=address)


def pause(camera: Camera, *, paused: bool) -> None:
    """Watch a camera no more until it is resumed, or again; raises NotAllowed, UsageError."""
    require_cameras("changing a camera")
    known = roster()
    known.get(camera.name)
    identity.record("cameras", camera.library, {"paused" if paused else "resumed": camera.name})
    known.pause(camera.name, paused=paused)


def keep_for(camera: Camera, retain: timedelta | None) -> None:
    """Keep a camera's keyframes this long, None for ever; raises NotAllowed."""
    require_cameras("changing how long keyframes are kept")
    identity.record("delete", camera.library, {"camera": camera.name, "kept": lasting(retain)})
    roster().keep_for(camera.name, retain)


def remove_camera(camera: Camera) -> None:
    """Remove a camera, what it took stays; raises NotAllowed, UsageError."""
    require_cameras("removing a camera")
    known = roster()
    known.get(camera.name)
    detail = {"removed": camera.name, "address": camera.address}
    identity.record("cameras", camera.library, detail)
    known.remove(camera.name)


def live_when() -> str:
    """Return when a camera is seen that was added or resumed just now."""
    if running_serve(resources.settings()) is None:
        return _("It is watched when `sightline serve` runs.")
    return _("It is live in some seconds.")


def lasting(retain: timedelta | None) -> str:
    """Return how long that is, to be translated."""
    return format_duration(retain) if retain else N_("for ever")

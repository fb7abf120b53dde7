"""Every error Sightline raises on purpose, in one tree.

    SightlineError
    ├── UsageError                 what was asked for cannot be asked (exit code 2)
    │   ├── SettingsError          a setting or an option has a value that cannot work
    │   ├── IndexParameterError    an index or search parameter is outside Milvus's range
    │   ├── IndexNotOffered        the Milvus at hand does not have this index type
    │   └── FilterError            a filter value cannot be written as a Milvus expression
    ├── EncoderError
    │   ├── EncoderUnavailable     the model's weights cannot be had
    │   └── EncoderMismatch        the library holds another encoder's vectors
    ├── StoreError                 Milvus, or a disk it is kept on, refused or failed
    │   ├── StoreUnavailable       Milvus cannot be reached, or is not ready yet: it may be soon
    │   ├── StoreAccessDenied      Milvus refuses the user, or the user lacks a privilege
    │   ├── QuotaExceeded          Milvus's own quota stops writes
    │   ├── DiskFull               no space is left for rows, the ledger or pictures
    │   ├── StoreDamaged           files of the embedded Milvus are damaged or gone
    │   ├── StoreReadOnly          what is to be written lies where this user may not write
    │   ├── StoreBusy              another process holds the embedded Milvus, or the library
    │   ├── TrialTimeout           an index was not built within the time limit
    │   ├── LibraryNotFound
    │   └── EntityNotFound
    ├── MediaError                 one file cannot be used; a batch goes on without it
    │   ├── UnsupportedMedia       not an image or a video Sightline reads
    │   ├── CorruptMedia           the file is damaged
    │   └── MediaTooLarge          more pixels than the limit allows
    ├── AccessError                who asks may not have it
    │   ├── NotLoggedIn            no user is logged in, or the session ended
    │   ├── LoginRefused           the name or the password is wrong, or it was tried too often
    │   └── NotAllowed             the role does not allow it, or the camera is not theirs
    ├── AuditUnavailable           what is done cannot be written down, and so is not done
    ├── QueueUnavailable           the server of the job queue cannot be reached
    ├── EngineError                what an ingest was to run on cannot be used
    ├── CaseNotFound               there is no case of that name
    └── ServeError                 `sightline serve` cannot start, or is running already

Each message says what happened and to what; ``hint`` says what to do next. Both are literals, with
``{name}`` for each value: the dashboard translates them (`make words` finds them).
"""

from __future__ import annotations

import os
import re

from search_core.messages import Message, Value

#: What libraries put before what they say: ``OSError: …``, ``requests.exceptions.ReadTimeout: …``,
#: ``[Errno 5] …``, ``Error 111 …``.
_CLASS_NAMES = re.compile(
    r"^(?:\[Errno -?\d+\]\s*"
    r"|[\w.]*(?:Error|Exception|Warning|Timeout)\b(?:\([^)]*\))?(?: -?\d+\b)?[:.]?\s*)+"
)


class SightlineError(Exception):
    """Something a user can understand; ``str()`` is what happened, ``hint`` the way out."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "", /, **values: Value | os.PathLike[str]) -> None:
        """Take what happened and what to do next, as templates of messages with these values."""
        self.message = message if isinstance(message, Message) else Message(message, **values)
        self.hint = hint if isinstance(hint, Message) else Message(hint, **values)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[type[SightlineError], tuple[Message, Message]]:
        # Workers send errors across processes.
        return (type(self), (self.message, self.hint))


class UsageError(SightlineError):
    """What was asked for cannot be asked; nothing was tried."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting or an option has a value that cannot work."""


class IndexParameterError(UsageError):
    """An index or search parameter is outside the range Milvus accepts."""


class IndexNotOffered(UsageError):
    """The Milvus at hand does not have this index type; the hint says which one does."""


class FilterError(UsageError):
    """A filter value cannot be written as a Milvus expression."""


class EncoderError(SightlineError):
    """An encoder cannot be used."""


class EncoderUnavailable(EncoderError):
    """The model is unknown or its weights cannot be had."""


class EncoderMismatch(EncoderError):
    """A library holds vectors of another encoder than the one in use."""


class StoreError(SightlineError):
    """Milvus, or a disk it is kept on, refused or failed."""


class StoreUnavailable(StoreError):
    """Milvus cannot be reached, or is not ready yet: the same may work a little later."""


class StoreAccessDenied(StoreError):
    """Milvus refuses the user name or password, or the user lacks a privilege."""


class QuotaExceeded(StoreError):
    """Milvus refuses writes: a memory or disk quota of its own, or an administrator, stops them."""


class DiskFull(StoreError):
    """No space is left on the disk that keeps rows, the ledger or pictures."""


class StoreDamaged(StoreError):
    """Files of the embedded Milvus are damaged or gone; ``hint`` says how to restore them."""


class StoreReadOnly(StoreError):
    """The data directory, or a file in it, cannot be written by this user."""


class StoreBusy(StoreError):
    """Another process holds the embedded Milvus, or rebuilds the library."""


class TrialTimeout(StoreError):
    """An index was not built and loaded within the time limit; nothing of it is left."""


class LibraryNotFound(StoreError):
    """No library of that name is in this Milvus."""


class EntityNotFound(StoreError):
    """No entity of that id is in the library."""


class MediaError(SightlineError):
    """One file cannot be used; the batch it belongs to goes on."""


class UnsupportedMedia(MediaError):
    """The file is neither an image nor a video Sightline reads."""


class CorruptMedia(MediaError):
    """The file is damaged or incomplete."""


class MediaTooLarge(MediaError):
    """The file would decode to more pixels than the limit allows."""


class QueueUnavailable(SightlineError):
    """The server that keeps the job queue cannot be reached, or refuses the login."""


class EngineError(SightlineError):
    """What an ingest was to run on, a Ray cluster say, cannot be used."""


class AccessError(SightlineError):
    """Who asks may not have it."""


class NotLoggedIn(AccessError):
    """No user is logged in, or the session ended."""


class LoginRefused(AccessError):
    """The name or the password is wrong, or it was tried too often of late.

    ``wait_s`` is how long the next attempt must wait, 0 if it need not.
    """

    wait_s = 0.0


class NotAllowed(AccessError):
    """The role does not allow it, or it is of a camera that is not theirs to see."""


class AuditUnavailable(SightlineError):
    """The audit log cannot be written; what it could not hold is not done."""


class CaseNotFound(SightlineError):
    """There is no case of that name."""


class ServeError(SightlineError):
    """``sightline serve`` cannot start, or is running already."""


def in_words(error: BaseException) -> str:
    """Return what an error says, in one line without a full stop and without any class's name."""
    if isinstance(error, SightlineError):
        return error.message.without_full_stop()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, AttributeError | NameError | TypeError | KeyError | AssertionError):
        return "an internal error"  # what these say is about the code
    lines = str(error).strip().splitlines() or [""]
    return without_class_names(lines[0])[:200].rstrip(".") or "no reason was given"


def without_class_names(said: str) -> str:
    """Return a line that a library said without names of exceptions and numbers of errors."""
    return _CLASS_NAMES.sub("", said).strip()

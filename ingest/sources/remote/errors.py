"""What reading from elsewhere raises, in words about the file; nothing of an address is quoted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from ingest.sources.contents import CHANGED_WHILE_READ
from search_core.errors import CorruptMedia, MediaError, in_words
from search_core.messages import Message


class NotThere(MediaError):
    """Nothing is at the address."""


class Unreachable(MediaError):
    """Nothing at all can be read from there now."""


#: Errors by the names of their classes: they are those of libraries that need not be there.
_UNREACHABLE = {
    "NoCredentialsError": Message(
        "cannot be read without credentials; they are taken from the "
        "environment (AWS_ACCESS_KEY_ID …) or ~/.aws"
    ),
    "PartialCredentialsError": Message("cannot be read: its credentials are incomplete"),
    "ProfileNotFound": Message("cannot be read: AWS_PROFILE names a profile that is not in ~/.aws"),
    "TokenRetrievalError": Message("cannot be read: the login to AWS has run out"),
    "DefaultCredentialsError": Message(
        "cannot be read without credentials; they are taken from "
        "GOOGLE_APPLICATION_CREDENTIALS or `gcloud auth application-default login`"
    ),
    "RefreshError": Message("cannot be read: the login to Google has run out"),
    "EndpointConnectionError": Message("cannot be read: its server cannot be reached"),
    "ClientConnectorDNSError": Message("cannot be read: its server's name is not known"),
    "ClientConnectorCertificateError": Message(
        "cannot be read: its server's certificate is not valid"
    ),
    "ClientConnectorError": Message("cannot be read: its server cannot be reached"),
    "ReadTimeoutError": Message("cannot be read: its server did not answer in time"),
    "ConnectTimeoutError": Message("cannot be read: its server did not answer in time"),
    "TimeoutError": Message("cannot be read: its server did not answer in time"),
}
_WORDS = {
    "FileExpired": CHANGED_WHILE_READ,
    "TooManyRedirects": Message("cannot be read: it is redirected in circles"),
    "NonHttpUrlRedirectClientError": Message("is redirected to something other than a web address"),
    "InvalidURL": Message("is not an address"),
    "InvalidUrlClientError": Message("is not an address"),
    "ServerDisconnectedError": Message("cannot be read: its server closed the connection"),
}
_CUT_OFF = ("ClientPayloadError", "IncompleteReadError", "ResponseStreamingError")


@contextmanager
def translated() -> Iterator[None]:
    """Turn whatever is raised inside into a MediaError whose message is a predicate."""
    try:
        yield
    except Exception as error:
        raise _media_error(error) from None


def _media_error(error: BaseException) -> MediaError:
    chain = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    for raised in reversed(chain):
        if isinstance(raised, MediaError):
            return raised
        if (known := _known(raised)) is not None:
            return known
    if isinstance(error, FileNotFoundError):
        return NotThere(Message("does not exist"))
    if isinstance(error, PermissionError) or str(error).startswith("Forbidden"):  # gcsfs says so
        return MediaError("may not be read with these credentials")
    if isinstance(error, ValueError) and "range requests" in str(error):
        return MediaError("is an archive on a server that gives no parts of files; download it")
    return MediaError("cannot be read: {error}", error=in_words(error))


def _known(error: BaseException) -> MediaError | None:
    names = [kind.__name__ for kind in type(error).__mro__]
    for name in names:
        if name in _UNREACHABLE:
            return Unreachable(_UNREACHABLE[name])
        if name in _WORDS:
            return MediaError(_WORDS[name])
        if name in _CUT_OFF:
            return CorruptMedia("ended before all of it had come; run again to fetch it anew")
    # gcsfs calls a status code; what aiohttp calls so is its own verdict on a torn answer.
    status = getattr(error, "code" if "HttpError" in names else "status", None)
    return _answered(status) if isinstance(status, int) else None


def _answered(status: int) -> MediaError:
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return NotThere(Message("does not exist"))
    known = status in {item.value for item in HTTPStatus}
    phrase = f" {HTTPStatus(status).phrase}" if known else ""
    return MediaError(
        "cannot be read: its server answered {status}{phrase}", status=status, phrase=phrase
    )

"""Milvus away for a while: an ingest waits for it and says so, for as long as it makes sense."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from search_core.errors import StoreUnavailable
from search_core.messages import Message
from search_core.system.cancellation import Interrupted

#: How long Milvus is waited for: a server's restart takes seconds, its upgrade minutes.
PATIENCE_S = 600.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0
_LOOK_EVERY_S = 0.1

_T = TypeVar("_T")


class Outages:
    """Does what needs Milvus again while Milvus is away; for use by several threads.

    ``tell`` is told once that ``address`` is waited for, and with an empty text that it is over, by
    the thread that waits. When ``should_stop`` returns True, or :meth:`give_up` was called, nobody
    waits.
    """

    def __init__(
        self,
        address: str = "",
        should_stop: Callable[[], bool] = lambda: False,
        tell: Callable[[str], None] = lambda text: None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._milvus = f"Milvus at {address}" if address else "Milvus"
        self._should_stop = should_stop
        self._tell = tell
        self._patience_s = patience_s
        self._given_up = threading.Event()

    def give_up(self) -> None:
        """End all waiting."""
        self._given_up.set()

    def outlast(self, call: Callable[[], _T]) -> _T:
        """Return what ``call`` returns, once Milvus can be reached.

        Raises Interrupted when it is to stop meanwhile, StoreUnavailable when patience ends, and
        at once whatever else ``call`` raises.
        """
        began_s: float | None = None
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                result = call()
            except StoreUnavailable as error:
                now_s = time.monotonic()
                if began_s is None:
                    began_s = now_s
                    self._tell(
                        Message("{milvus} does not answer; waiting for it.", milvus=self._milvus)
                    )
                if self._is_to_stop():
                    raise Interrupted from error
                left_s = began_s + self._patience_s - now_s
                if left_s <= 0:
                    raise StoreUnavailable(
                        "{milvus} did not answer for {seconds:.0f} seconds: {reason}",
                        "When it does, run the same command again: it goes on from there.",
                        milvus=self._milvus,
                        seconds=self._patience_s,
                        reason=error.message,
                    ) from error
                self._wait(min(wait_s, left_s))
                wait_s = min(_LONGEST_WAIT_S, 2 * wait_s)
            else:
                if began_s is not None:
                    self._tell("")
                return result

    def _wait(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while not self._is_to_stop() and (left_s := until_s - time.monotonic()) > 0:
            self._given_up.wait(min(left_s, _LOOK_EVERY_S))

    def _is_to_stop(self) -> bool:
        return self._given_up.is_set() or self._should_stop()

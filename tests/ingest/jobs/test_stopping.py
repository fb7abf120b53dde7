from __future__ import annotations

import signal
import sys

from search_core.system.cancellation import StopFlag, stopped_by


def test_a_signal_sets_the_flag_and_the_handler_before_comes_back() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with stopped_by(signal.SIGUSR1) as stop:
        assert not stop.wait(0)
        signal.raise_signal(signal.SIGUSR1)
        assert stop.is_set()
        assert stop.wait(3600)
    assert signal.getsignal(signal.SIGUSR1) == before


def test_a_signal_at_any_line_of_setting_and_waiting_never_hangs() -> None:
    with stopped_by(signal.SIGUSR1) as stop:

        def signal_at_every_line(frame: object, event: str, argument: object) -> object:
            signal.raise_signal(signal.SIGUSR1)
            return signal_at_every_line

        sys.settrace(signal_at_every_line)  # type: ignore[arg-type]
        try:
            StopFlag().wait(0.01)
            stop.set()
        finally:
            sys.settrace(None)
    assert stop.is_set()

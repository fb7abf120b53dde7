"""What a supervisor makes of processes that misbehave, and of listeners that do."""

from __future__ import annotations

import threading

import pytest
from pydantic import SecretStr

from ingest.cameras.camera import Camera
from ingest.cameras.events import Lost
from ingest.cameras.supervisor import Backoff, Patience, Supervisor
from search_core.settings import Settings
from tests.support.made_media import HistogramEncoder
from tests.support.waiting import wait_until

GATE = Camera("gate", SecretStr("rtsp://u:hunter2@127.0.0.1:9/x"), "main")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("hang", "made the decoder hang: it gave nothing for 0.2 s"),
        ("end", "made the decoder crash (exit status 7)"),
        ("refuse", "cannot be decoded: The decoding process cannot start (exit status 1): no lib"),
    ],
)
def test_a_process_that_misbehaves_is_replaced(
    settings: Settings, encoder: HistogramEncoder, entry: str, said: str
) -> None:
    told: list[str] = []
    stop = threading.Event()

    def listen(camera: Camera, event: object) -> None:
        assert isinstance(event, Lost)
        told.append(event.reason)
        raise OSError("the listener's own trouble")

    supervisor = Supervisor(
        GATE,
        settings,
        encoder.preprocess,
        listen,
        stop,
        patience=Patience(hang_s=0.2),
        backoff=Backoff(lambda: 0.0),
        entry=f"tests.ingest.cameras.hostile_process:{entry}",
    )
    supervisor.start()
    wait_until(lambda: len(told) >= 2, "the second try")
    stop.set()
    supervisor.join()

    assert all(reason.startswith(said) for reason in told)
    assert supervisor.pid is None and "hunter2" not in "".join(told)

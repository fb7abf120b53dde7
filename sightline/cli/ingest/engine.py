"""Where an ingest runs: the options that choose it, and the engine they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from search_core.settings import MOST_WORKERS, Settings

if TYPE_CHECKING:
    from ingest.engines.base import Engine

EngineName = Literal["local", "ray"]

EngineOption = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        help="Where it runs: local, in processes of this machine; ray, on a Ray cluster whose "
        "machines see the files and the data directory at the same paths.",
    ),
]
RayAddressOption = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="HOST:PORT",
        envvar="RAY_ADDRESS",
        help="The Ray cluster; without it one is started on this machine and ended again.",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        max=MOST_WORKERS,
        help="How many files are decoded at a time; otherwise what cores and memory allow.",
    ),
]


def engine_of(
    settings: Settings, name: EngineName, ray_address: str | None, workers: int | None
) -> Engine | None:
    """Return what the options ask for, None where that is what an ingest uses anyway.

    Raises EngineError when it is not installed.
    """
    if name == "ray":
        from ingest.engines.ray.engine import RayEngine

        return RayEngine(settings, address=ray_address, workers=workers)
    if workers is None:
        return None
    from ingest.engines.local import LocalEngine

    return LocalEngine(workers)

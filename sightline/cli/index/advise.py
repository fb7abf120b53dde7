"""`sightline index advise`: which index types fit, and where to start.

Amounts are read as people write them: 10M rows, 16GiB.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from search_core.errors import StoreError
from search_core.indexes.advice import LITE_ROWS, Advice, on_older, usable_bytes
from search_core.indexes.advice import advise as advise_for
from search_core.indexes.milvus_version import ServerInfo, release_of
from search_core.settings import Settings
from search_core.store.endpoint import resolve_endpoint
from sightline.cli.options import JsonOption, settings_of
from sightline.cli.terminal import facts, note, open_workspace, print_json, say, table

#: Parameters that `sightline index set` has an option for; others go through --option.
_OWN_OPTIONS = ("nlist", "nprobe", "M", "ef")
_AMOUNT = re.compile(r"(\d+(?:[_,]\d{3})*(?:\.\d+)?|\.\d+)\s*([A-Za-z]*)")
_COUNTS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12}
#: More than any machine holds, and a number that sizes can be computed from.
_MOST = 1e18
_BYTES = {"": 1, "B": 1, "BYTES": 1}
_BYTES |= {f"{letter}B": 1000**power for power, letter in enumerate("KMGTP", 1)}
_BYTES |= {f"{letter}IB": 1024**power for power, letter in enumerate("KMGTP", 1)}


def advise(
    ctx: typer.Context,
    rows: Annotated[
        int,
        typer.Option(parser=count, metavar="COUNT", help="How many vectors, e.g. 250000 or 10M."),
    ],
    memory: Annotated[
        int,
        typer.Option(
            parser=byte_count,
            metavar="SIZE",
            help="All memory of the machine Milvus runs on, e.g. 16GiB.",
        ),
    ],
    dim: Annotated[int, typer.Option(help="Dimensions of a vector: 512 of ViT-B-32.")] = 512,
    target_recall: Annotated[
        float,
        typer.Option(
            parser=share,
            metavar="SHARE",
            help="How many of the true neighbours a search must find: 0.95, or 95%.",
        ),
    ] = 0.95,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="MILVUS",
            help="Which Milvus: `lite`, `any`, a version such as 2.6.0, or 2.6.0-gpu of a server "
            "with a GPU. Default: the one in use, else any.",
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also say what makes up the size of each type.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Say which index types fit a number of vectors, what each needs, and where to start.

    Memory and disk are computed for the whole library by formulas that were checked against
    measured sizes. The recall to expect was measured on made vectors that lie as CLIP's do;
    `sightline index compare` measures it on a library's own.
    """
    milvus = _milvus(settings_of(ctx), server)
    found = advise_for(rows, dim, memory, target_recall, milvus)
    if json:
        asked = {
            "rows": rows,
            "dim": dim,
            "memory_bytes": memory,
            "target_recall": target_recall,
            "server": str(milvus) if milvus else "any",
        }
        print_json({**asked, "types": [advice.to_dict() for advice in found]})
        return
    about = f"{rows:,} vectors of {dim} dimensions on {milvus or 'any Milvus without a GPU'}"
    say(f"{about}: {shown_bytes(usable_bytes(memory))} of {shown_bytes(memory)} can be used.\n")
    say(_table(found))
    say()
    say(_conclusion(found, target_recall))
    if explain:
        say()
        say(_explained(found))
    if milvus is not None and milvus.embedded and rows > LITE_ROWS:
        note(
            f"Milvus Lite searches slowly beyond some {LITE_ROWS:,} vectors, whatever the index; "
            "a Milvus server does not (SIGHTLINE_MILVUS_URI)."
        )


def _milvus(settings: Settings, named: str | None) -> ServerInfo | None:
    """Return the Milvus that was named, else the server in use; None for any."""
    if named is None:
        return _in_use(settings)
    name = named.strip().lower()
    if name == "any":
        return None
    if name == "lite":
        return ServerInfo.reported(version("milvus-lite"), embedded=True)
    release_of(name)
    return ServerInfo.reported(name, embedded=False)


def _in_use(settings: Settings) -> ServerInfo | None:
    """Ask the server of the settings, or a running serve; an embedded Milvus is not started."""
    if "://" not in resolve_endpoint(settings).uri:
        return None
    with suppress(StoreError), open_workspace(settings) as workspace:
        return workspace.store().server()
    note("The Milvus of the settings cannot be reached; this is for any Milvus.")
    return None


def _table(found: Sequence[Advice]) -> Table:
    """Return what each type needs and finds, the start where it does, the reason where not."""
    right = ("Memory", "GPU", "Disk", "Recall", "Search")
    made = table(
        "", "Index", *right, "Start with",
        right=right, fold=("Start with",),
    )  # fmt: skip
    for advice in found:
        does = advice.verdict in ("recommended", "fits", "slow")
        start = _params({**advice.spec.build_params(), **advice.search.given()})
        because = f"{advice.because}; needs {advice.needs}" if advice.needs else advice.because
        said = Text(because if does else advice.because, style="" if does else "dim")
        if does and start:
            said = Text.assemble((start, "bold"), "\n", said)
        made.add_row(
            "★" if advice.verdict == "recommended" else "",
            advice.spec.index_type,
            shown_bytes(advice.size.memory_bytes),
            shown_bytes(advice.size.gpu_bytes) if advice.size.gpu_bytes else "–",
            shown_bytes(advice.size.disk_bytes),
            "?" if advice.recall is None else f"{advice.recall:.2f}",
            "?" if advice.seconds is None else _time(advice.seconds),
            said,
            style="" if does else "dim",
        )
    return made


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.2g} ms" if seconds < 0.0995 else f"{seconds:,.2g} s"


def _explained(found: Sequence[Advice]) -> Table:
    """Return what makes up the size of each type, and where the formula is from."""
    made = table("Index", "Made of", "Source", fold=("Made of", "Source"))
    for advice in found:
        made.add_row(advice.spec.index_type, advice.size.formula, advice.size.source)
    return made


def _params(params: Mapping[str, object]) -> str:
    """Return parameters as Milvus spells them, without the switches that are off."""
    return " ".join(f"{name}={value}" for name, value in params.items() if value != "false")


def _conclusion(found: Sequence[Advice], target_recall: float) -> Table | Text:
    best = found[0]
    if best.verdict != "recommended":
        least = min(
            (advice for advice in found if advice.verdict == "too large"),
            key=lambda advice: advice.size.memory_bytes,
            default=None,
        )
        more = (
            f" {least.spec.index_type} needs the least memory, "
            f"{shown_bytes(least.size.memory_bytes)}."
            if least
            else ""
        )
        return Text(f"Nothing here fits and finds {target_recall:.0%}.{more}")
    rows: list[tuple[str, str | Text]] = [
        ("Start with", Text(_command(best), style="bold")),
        ("Why", f"{best.spec.index_type} is {best.why}."),
        *_needed(found),
        ("Size", f"{best.size.formula}; and the rows' fields, and Milvus itself."),
        ("Then", "`sightline index compare` measures it against others on your own vectors."),
    ]
    return facts(rows)


def _needed(found: Sequence[Advice]) -> list[tuple[str, str | Text]]:
    """Return what the start needs: a newer Milvus, memory of a GPU."""
    best = found[0]
    rows: list[tuple[str, str | Text]] = []
    if best.needs:
        older = on_older(found)
        instead = f"on an older one start with `{_command(older)}`" if older else "no other does"
        rows.append(("Needs", f"{best.needs}; {instead}."))
    if best.size.gpu_bytes:
        rows.append(("Needs", f"{shown_bytes(best.size.gpu_bytes)} of memory of the GPU."))
    return rows


def _command(advice: Advice) -> str:
    """Return the command that builds it, with what is not default anyway."""
    usual = type(advice.spec)().build_params()
    given = {name: at for name, at in advice.spec.build_params().items() if at != usual[name]}
    given |= advice.search.given()
    options = (
        f"--{name.lower()} {value}" if name in _OWN_OPTIONS else f"--option {name}={value}"
        for name, value in given.items()
    )
    return " ".join([f"sightline index set {advice.spec.index_type}", *options])


def count(text: str) -> int:
    """Read a number of things: ``250000``, ``250_000``, ``10M``, ``1.5B`` (B is 1e9)."""
    return _read(text, _COUNTS, "a number such as 250000, 10M or 1.5B (K, M, B are 1e3, 1e6, 1e9)")


def byte_count(text: str) -> int:
    """Read an amount of memory: ``16GiB`` (2**30), ``512MB`` (1e6), ``1.5TiB``, or bytes."""
    return _read(text, _BYTES, "an amount of memory such as 16GiB, 512MB or 1.5TiB")


def share(text: str | float) -> float:
    """Read a share: ``0.95`` or ``95%``."""
    number, percent, rest = str(text).strip().partition("%")
    try:
        value = float(number) / (100 if percent else 1)
    except ValueError:
        value = math.nan
    if rest or not math.isfinite(value):
        raise typer.BadParameter(f"{text!r} is not a share such as 0.95 or 95%.")
    return value


def shown_bytes(amount: float) -> str:
    """Return bytes as memory is sold: ``512 MiB``, ``13.3 GiB``."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1023.95:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:,.1f} TiB"


def _read(text: str, units: dict[str, int], wanted: str) -> int:
    found = _AMOUNT.fullmatch(text.strip())
    unit = units.get(found[2].upper()) if found else None
    if found is None or unit is None:
        raise typer.BadParameter(f"{text!r} is not {wanted}.")
    amount = float(found[1].replace(",", "").replace("_", "")) * unit
    if amount > _MOST:
        raise typer.BadParameter(f"{text!r} is more than {_MOST:.0e}.")
    return round(amount)

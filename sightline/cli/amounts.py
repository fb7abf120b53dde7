"""Amounts as people write them: 10M rows, 16GiB."""

from __future__ import annotations

import math
import re

import typer

_AMOUNT = re.compile(r"(\d+(?:[_,]\d{3})*(?:\.\d+)?|\.\d+)\s*([A-Za-z]*)")
_COUNTS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12}
#: More than any machine holds, and a number that sizes can be computed from.
_MOST = 1e18
_BYTES = {"": 1, "B": 1, "BYTES": 1}
_BYTES |= {f"{letter}B": 1000**power for power, letter in enumerate("KMGTP", 1)}
_BYTES |= {f"{letter}IB": 1024**power for power, letter in enumerate("KMGTP", 1)}


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

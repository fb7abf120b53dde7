"""What each version of Milvus answers, by `answers.tsv`: the first row of a release or older."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pymilvus.grpc_gen import common_pb2

from search_core.indexes.milvus_version import release_of

TABLE = Path(__file__).with_name("answers.tsv")


@dataclass(frozen=True, slots=True)
class Answer:
    """One status: since which release, its codes, and its reason as a template."""

    name: str
    since: str
    code: int
    legacy: int
    reason: str
    retriable: bool
    known: str


@cache
def answers() -> tuple[Answer, ...]:
    """Return the whole table."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Answer(
                row["answer"],
                row["from"],
                int(row["code"]),
                int(row["legacy"]),
                row["reason"],
                row["retriable"] == "true",
                row["known"],
            )
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        )


def answer_of(name: str, version: str) -> Answer | None:
    """Return how a version answers in a case; None where it does not refuse."""
    release = release_of(version)
    known = [a for a in answers() if a.name == name and release_of(a.since) <= release]
    return max(known, key=lambda a: release_of(a.since)) if known else None


def status_of(case: str, version: str, /, **values: object) -> common_pb2.Status:
    """Return the status of an answer, success where the version does not refuse."""
    answer = answer_of(case, version)
    if answer is None:
        return common_pb2.Status()
    filled = {"db": "default", "name": "", "other": "", "id": 4711, **values}
    return common_pb2.Status(
        code=answer.code,
        error_code=answer.legacy,
        reason=answer.reason.format(**filled),
        retriable=answer.retriable,
    )

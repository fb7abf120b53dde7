"""What jobs are asked to do: one kind each, stored as JSON."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import PurePath
from typing import Any, ClassVar, Self

from pydantic import TypeAdapter

from ingest.jobs.table import Job
from ingest.options import EVERYTHING_USUAL, IngestOptions
from search_core.errors import UsageError
from search_core.indexes import IndexSpec, SearchParams, index_spec_from_dict
from search_core.lab.plan import CompareOptions


class Request(ABC):
    """What one kind of job is asked to do."""

    __slots__ = ()
    kind: ClassVar[str]

    @property
    @abstractmethod
    def title(self) -> str:
        """What people call it, e.g. the name of the file to be taken in."""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(**record)


@dataclass(frozen=True, slots=True)
class IngestRequest(Request):
    """Take files, folders, globs and archives into a library.

    With ``correct_known`` camera, time and tags are given to what the library has already, too.
    """

    kind: ClassVar[str] = "ingest"

    paths: tuple[str, ...]
    library: str
    options: IngestOptions = EVERYTHING_USUAL
    correct_known: bool = False

    @property
    def title(self) -> str:
        """The first file's name, and how many more there are."""
        if not self.paths:
            return "nothing"
        first = PurePath(self.paths[0]).name or self.paths[0]
        return first if len(self.paths) == 1 else f"{first} and {len(self.paths) - 1} more"

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values: the options beside the rest."""
        own = {"paths": self.paths, "library": self.library, "correct_known": self.correct_known}
        return {**self.options.to_json(), **own}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(
            tuple(record["paths"]),
            record["library"],
            IngestOptions.from_json(record),
            record.get("correct_known", False),
        )


@dataclass(frozen=True, slots=True)
class IndexRequest(Request):
    """Build another index for a library, beside the one that serves, and switch to it.

    ``index`` is the specification as ``index_spec_to_dict`` writes it, ``search`` the parameters
    its searches use by default.
    """

    kind: ClassVar[str] = "index"

    library: str
    index: Mapping[str, Any]
    search: Mapping[str, int] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The index and the library."""
        return f"{self.spec.index_type} for {self.library}"

    @property
    def spec(self) -> IndexSpec:
        """The index to build; raises IndexParameterError."""
        return index_spec_from_dict(dict(self.index))

    @property
    def params(self) -> SearchParams:
        """What its searches use by default."""
        return SearchParams(**self.search)


@dataclass(frozen=True, slots=True)
class CompareRequest(Request):
    """Compare indexes on a library's own vectors; ``text`` is whether sentences are asked too."""

    kind: ClassVar[str] = "compare"

    library: str
    options: CompareOptions = field(default_factory=CompareOptions)
    text: bool = True

    @property
    def title(self) -> str:
        """What is compared."""
        return f"{', '.join(self.options.types) or 'indexes'} of {self.library}"

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        options = _options().dump_python(self.options, mode="json")
        return {"library": self.library, "options": options, "text": self.text}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        options = _options().validate_python(record["options"])
        return cls(record["library"], options, record["text"])


@dataclass(frozen=True, slots=True)
class ReembedRequest(Request):
    """Give a library another encoder: every keyframe embedded again, beside the old ones.

    With ``regions`` it keeps its encoder, and its keyframes are given regions of that kind.
    """

    kind: ClassVar[str] = "reembed"

    library: str
    model: str
    pretrained: str | None = None
    regions: str | None = None

    @property
    def title(self) -> str:
        """The library and its new encoder, or its regions."""
        if self.regions is not None:
            return f"{self.library} with regions: {self.regions}"
        which = f"{self.model} {self.pretrained or ''}".strip()
        return f"{self.library} with {which}"


_KINDS: tuple[type[Request], ...] = (
    IngestRequest,
    IndexRequest,
    CompareRequest,
    ReembedRequest,
)


def request_of(job: Job) -> Request:
    """Return what a job was asked; raises UsageError for a kind this version does not know."""
    for kind in _KINDS:
        if kind.kind == job.kind:
            return kind.from_json(job.request)
    raise UsageError(
        "This worker does not know jobs of the kind {kind}.",
        "Workers and what asks them must be of the same version.",
        kind=job.kind,
    )


@cache
def _options() -> TypeAdapter[CompareOptions]:
    return TypeAdapter(CompareOptions)

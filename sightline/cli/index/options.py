"""The parameters `sightline index set` has no option of its own for, by their Milvus names."""

from __future__ import annotations

from collections.abc import Sequence

from search_core.errors import IndexParameterError, UsageError
from search_core.indexes import INDEX_SPECS, SearchParams, make_index_spec, parameters_of
from search_core.lab.plan import FilterCase
from search_core.schema.filters import Filter
from sightline.cli.options import check_period, moment

Values = dict[str, int | str | bool | None]


def read_parameters(index_type: str, texts: Sequence[str]) -> tuple[Values, dict[str, int]]:
    """Read ``nbits=8`` or ``search_list=100`` into build and search parameters by field name.

    Raises IndexParameterError for a name that the index type and its searches do not have.
    """
    spec = INDEX_SPECS[make_index_spec(index_type).index_type]
    fields = {parameter.name: name for name, parameter in parameters_of(spec)}
    searched = [name for name, _ in parameters_of(SearchParams())]
    build: Values = {}
    search: dict[str, int] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if name in fields:
            build[fields[name]] = _value(value)
        elif name in searched and value.isdigit():
            search[name] = int(value)
        else:
            raise IndexParameterError(
                f"{text} is not a parameter of {spec.index_type}.",
                f"Write NAME=VALUE; it takes {', '.join(fields) or 'no build parameters'}.",
            )
    return build, search


def _value(text: str) -> int | str | bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if text.lstrip("-").isdigit() else text


_FIELDS = "camera, tag, source, type, after, before"


def read_sweeps(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Read ``nprobe=1,4,16`` and the like; values of one name add up. Raises UsageError."""
    sweeps: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, _, listed = (part.strip() for part in text.partition("="))
        values = read_numbers(f"--sweep {name}", listed)
        if not name or not values:
            raise UsageError(
                f"{text} is not a sweep.", "Write a parameter and its values: nprobe=1,4,16."
            )
        sweeps[name] = (*sweeps.get(name, ()), *values)
    return sweeps


def read_numbers(option: str, text: str) -> tuple[int, ...]:
    """Read whole numbers with commas between them; raises UsageError, naming the option."""
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(",") if part.strip()))
    except ValueError:
        raise UsageError(
            f"{option} takes whole numbers, not {text}.", "Separate them by commas: 1,10,100."
        ) from None


def read_filter(text: str) -> FilterCase:
    """Read a share of the rows such as ``1%``, or facets such as ``camera=gate-3,tag=odd``.

    Raises UsageError for what is neither.
    """
    if (share := FilterCase.of_share(text)) is not None:
        return share
    given: dict[str, list[str]] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or name.strip() not in _FIELDS.split(", "):
            raise UsageError(
                f"{text} is not a filter.",
                f"Give a share such as 1%, or NAME=VALUE of {_FIELDS}, with commas between them.",
            )
        given.setdefault(name.strip(), []).append(value.strip())
    kind = given.get("type", [None])[-1]
    if kind not in (None, "image", "frame"):
        raise UsageError(f"{kind} is not a media type.", "Give type=image or type=frame.")
    where = Filter(
        cameras=tuple(given.get("camera", ())),
        source_ids=tuple(given.get("source", ())),
        tags=tuple(given.get("tag", ())),
        after=moment(given["after"][-1]) if "after" in given else None,
        before=moment(given["before"][-1]) if "before" in given else None,
        media_type="image" if kind == "image" else "frame" if kind == "frame" else None,
    )
    check_period(where.after, where.before)
    where.expression()  # refuses what Milvus cannot carry before anything is copied
    return FilterCase(text.strip(), where)

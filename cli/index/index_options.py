"""The parameters `sightline index set` has no option of its own for, by their Milvus names."""

from __future__ import annotations

from collections.abc import Sequence

from search_core.errors import IndexParameterError
from search_core.index_specs import INDEX_SPECS, SearchParams, make_index_spec, parameters_of

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

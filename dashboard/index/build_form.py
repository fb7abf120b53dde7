"""The form that rebuilds a library's index: only the parameters the chosen type has."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.i18n.formatting import counted
from dashboard.i18n.gettext import _
from dashboard.index.compare import offered_types
from dashboard.index.jobs import ask_for_index
from search_core.indexes import (
    INDEX_SPECS,
    IndexSpec,
    Parameter,
    SearchParams,
    make_index_spec,
    parameters_of,
)
from search_core.store.library import LibraryInfo


def pick_index(info: LibraryInfo, rows: int) -> None:
    """Draw the form; its button asks for the index, which is built while the library answers."""
    current = info.index.index_type
    kinds = offered_types(resources.store().server(), info.encoder.dim)
    if current not in kinds:
        kinds.append(current)
    kind = st.selectbox(_("Type"), kinds, index=kinds.index(current), key=f"kind-{info.name}")
    st.caption(_(INDEX_SPECS[kind].explanation))
    start = info.index if kind == current else INDEX_SPECS[kind].sized(rows, info.encoder.dim)
    with st.form(f"index-{info.name}-{kind}", border=False):
        build = {
            name: _value(parameter, getattr(start, name))
            for name, parameter in parameters_of(start)
        }
        search = _search_params(start, info.search)
        pressed = st.form_submit_button(_("Apply"), type="primary", width="stretch")
    builds = _("Builds over {vectors}; searches go on meanwhile.")
    st.caption(builds.format(vectors=counted(rows, "vector")))
    if pressed:
        ask_for_index(info.name, make_index_spec(kind, build), search)


def _search_params(start: IndexSpec, now: SearchParams) -> SearchParams:
    """Return what the form says of the parameter that trades time for recall, if there is one."""
    if start.sweep is None:
        return SearchParams()
    parameter = dict(parameters_of(now))[start.sweep]
    value = getattr(now, start.sweep)
    if value is None:
        value = start.search_params(SearchParams(), 1)[start.sweep]
    return SearchParams(**{start.sweep: int(_value(parameter, value))})


def _value(parameter: Parameter, value: int | str | bool) -> int | str | bool:
    """Draw what sets a parameter, with what more of it does; return what is set."""
    chosen: int | str | bool
    effect = _(parameter.effect)
    if parameter.choices:
        at = parameter.choices.index(str(value))
        chosen = st.selectbox(parameter.name, parameter.choices, index=at)
        about = effect
    elif parameter.high:
        low, high = parameter.low, parameter.high
        chosen = int(st.number_input(parameter.name, low, high, min(max(int(value), low), high)))
        about = _("{unit}, {low} to {high}; more: {effect}").format(
            unit=_(parameter.unit), low=f"{low:,}", high=f"{high:,}", effect=effect
        )
    else:
        chosen = st.checkbox(parameter.name, bool(value))
        about = effect
    st.caption(about)
    return chosen

from __future__ import annotations

import pytest

from search_core.encoders.base import EncoderIdentity
from search_core.errors import IndexParameterError
from search_core.indexes import Hnsw, SearchParams
from search_core.store.library import LibraryInfo


def library(identity: EncoderIdentity, default: SearchParams) -> LibraryInfo:
    return LibraryInfo("a", "a_1", identity, "COSINE", Hnsw(), default, 0)


def test_a_default_ef_rises_to_the_hits_asked_for(identity: EncoderIdentity) -> None:
    info = library(identity, SearchParams(ef=16))

    assert info.search_params(None, 10) == {"ef": 16}
    assert info.search_params(None, 50) == {"ef": 50}


def test_an_ef_that_was_asked_for_is_never_changed(identity: EncoderIdentity) -> None:
    info = library(identity, SearchParams(ef=16))

    assert info.search_params(SearchParams(ef=80), 50) == {"ef": 80}
    with pytest.raises(IndexParameterError):
        info.search_params(SearchParams(ef=40), 50)

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from search_core.errors import UsageError
from search_core.search.saved_searches import SavedSearches


@pytest.fixture
def saved(tmp_path: Path) -> Iterator[SavedSearches]:
    with closing(SavedSearches(tmp_path / "saved.sqlite")) as found:
        yield found


def test_a_search_is_saved_listed_replaced_and_deleted(saved: SavedSearches) -> None:
    assert saved.of("vera") == []
    address = {"q": ["a white van & more"], "camera": ["gate", "大门口"], "page": ["3"], "tag": []}
    made = saved.save("vera", "  white   vans ", "main", address)

    assert saved.of("vera") == [made] and made.name == "white vans"
    assert made.address == {
        "q": ["a white van & more"], "camera": ["gate", "大门口"], "library": ["main"],
    }  # fmt: skip
    saved.save("vera", "white vans", "yard", {"q": ["a van"]})
    saved.save("vera", "A dog", "main", {"q": ["a dog"]})
    assert [(one.name, one.library) for one in saved.of("vera")] == [
        ("A dog", "main"),
        ("white vans", "yard"),
    ]
    saved.delete("vera", "white vans")
    assert [one.name for one in saved.of("vera")] == ["A dog"]


def test_each_user_has_their_own(saved: SavedSearches) -> None:
    saved.save("vera", "mine", "main", {"q": ["a dog"]})
    assert saved.of("otto") == []
    with pytest.raises(UsageError):
        saved.get("otto", "mine")
    with pytest.raises(UsageError):
        saved.delete("otto", "mine")
    assert saved.get("vera", "mine").address["q"] == ["a dog"]


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "a\x01b"])
def test_what_can_be_no_name_is_refused(saved: SavedSearches, name: str) -> None:
    with pytest.raises(UsageError):
        saved.save("vera", name, "main", {"q": ["a dog"]})

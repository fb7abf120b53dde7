"""`sightline searches`, and `sightline search --save` and `--saved`."""

from __future__ import annotations

from tests.cli.conftest import Run


def test_a_search_is_saved_listed_repeated_and_deleted(run: Run, library: list[str]) -> None:
    asked = ["a red circle at the gate", "--tag", "made", "--after", "2026-03-01T06:00Z", "-k", 20]
    first = run("search", *asked, "--save", "red  at the gate", "--json", *library)
    assert "Saved as red at the gate." in first.err

    [saved] = run("searches", "list", "--json", *library).json
    assert (saved["name"], saved["library"]) == ("red at the gate", "main")
    assert saved["link"].startswith("/?q=a+red+circle+at+the+gate&tag=made&after=2026-03-01T")
    assert saved["link"].endswith("&k=20&library=main")
    assert "red at the gate" in run("searches", "list", *library).out
    assert run("searches", "list", "--user", "vera", "--json", *library).json == []

    again = run("search", "--saved", "red at the gate", "--json", *library)
    assert [hit["id"] for hit in again.json] == [hit["id"] for hit in first.json]
    assert len(again.json) == 10 and "camera gate" in again.err

    assert run("searches", "delete", "red at the gate", *library).exit_code == 0
    gone = run("search", "--saved", "red at the gate", *library)
    assert gone.exit_code == 2 and "There is no saved search red at the gate." in gone.err


def test_words_taken_as_they_are_stay_so(run: Run, library: list[str]) -> None:
    run("search", "a circle yesterday", "--literal", "--save", "as words", *library)
    again = run("search", "--saved", "as words", "--json", *library)
    assert len(again.json) == 10 and "Filtered by" not in again.err


def test_what_cannot_be_saved_is_refused(run: Run, library: list[str]) -> None:
    [hit] = run("search", "x", "-k", 1, "--json", *library).json
    for asked in (["--id", hit["id"], "--save", "a"], ["x", "--saved", "a"], ["x", "--save", ""]):
        assert run("search", *asked, *library).exit_code == 2

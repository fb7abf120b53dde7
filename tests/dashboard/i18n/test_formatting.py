from __future__ import annotations

from datetime import UTC

from dashboard.i18n.formatting import clock, counted, local_time, megabytes, plain


def test_markdown_of_others_is_shown_as_it_is() -> None:
    assert plain("a *b* [c](d) <e> :red[f] $g$") == (r"a \*b\* \[c\]\(d\) \<e\> \:red\[f\] \$g\$")
    assert plain("two\nlines\t") == "two lines"


def test_offsets_and_times_read_as_people_write_them() -> None:
    assert clock(0) == "0:00.0"
    assert clock(72_480) == "1:12.4"
    assert clock(3_600_000 + 5_000) == "1:00:05.0"
    assert local_time(1_700_000_000_000, UTC) == "2023-11-14 22:13:20"


def test_counts_and_sizes() -> None:
    assert counted(1, "hit") == "1 hit"
    assert counted(2500, "hit") == "2,500 hits"
    assert megabytes(2_800_000) == "2.8 MB"
    assert megabytes(900) == "1 kB"

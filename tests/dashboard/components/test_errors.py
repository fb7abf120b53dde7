from __future__ import annotations

import pytest

from dashboard.components.errors import hint_of
from search_core.errors import UsageError


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("Choose another name.", "Choose another name."),
        (
            "See sightline.toml. Run `sightline doctor`. Then try again.",
            "See sightline.toml. Then try again.",
        ),
        ("停止它。再运行 `sightline verify --repair`。", "停止它。"),
        ("`sightline case list` names those there are.", "Ask an administrator of this server."),
        ("", ""),
    ],
)
def test_a_page_names_no_command(hint: str, shown: str) -> None:
    assert hint_of(UsageError("It failed.", hint)) == shown

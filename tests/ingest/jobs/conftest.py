"""Settings of each of the two queues."""

import pytest
from pydantic import SecretStr

from search_core.settings import Settings


@pytest.fixture(params=["sqlite", "redis"])
def settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Settings of each of the two queues."""
    if request.param == "redis":
        settings.queue = SecretStr(request.getfixturevalue("redis_url"))
    return settings

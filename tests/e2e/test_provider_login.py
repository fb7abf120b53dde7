"""Logging in at an OIDC provider: a real one, run here, beside `sightline serve` and a browser."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_access import MINE
from tests.e2e.test_browser import _sightline, _wait_for, chromium, data_dir
from tests.support.waiting import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
__all__ = ["chromium", "data_dir"]

KNOWN, UNKNOWN, UNVERIFIED = "vera@example.org", "stranger@example.org", "anna@example.org"


@pytest.fixture(scope="module")
def address(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where `sightline serve` answers those whom the provider knows."""
    mock = pytest.importorskip("oidc_provider_mock", reason="oidc-provider-mock is not installed")
    people = [
        mock.User(sub=mail, claims={"email": mail, "email_verified": mail != UNVERIFIED})
        for mail in (KNOWN, UNKNOWN, UNVERIFIED)
    ]
    folder, port = tmp_path_factory.mktemp("serve"), free_port()
    address = f"http://localhost:{port}"
    (folder / ".streamlit").mkdir()
    with mock.run_server_in_thread(user_claims=people) as provider:
        (folder / ".streamlit" / "secrets.toml").write_text(
            "[auth]\n"
            f'redirect_uri = "{address}/oauth2callback"\n'
            'cookie_secret = "0123456789abcdef0123456789abcdef"\n'
            'client_id = "sightline"\nclient_secret = "never-shown"\n'
            f'server_metadata_url = "http://localhost:{provider.server_port}'
            '/.well-known/openid-configuration"\n'
        )
        for mail, options in {KNOWN: ["--camera", MINE], UNVERIFIED: ["--role", "admin"]}.items():
            added = [*_sightline(data_dir), "users", "add", mail, "--oidc", *options]
            subprocess.run(added, check=True)
        command = [*_sightline(data_dir), "serve", "--port", str(port)]
        with subprocess.Popen(command, cwd=folder) as serve:
            try:
                _wait_for(address, serve)
                yield address
            finally:
                os.kill(serve.pid, signal.SIGINT)
                serve.wait(60)


def test_who_is_known_comes_in_and_nobody_else(chromium: Browser, address: str) -> None:
    vera = _log_in(chromium, address, KNOWN)
    vera.get_by_placeholder("Describe it in a sentence").wait_for()
    vera.goto(f"{address}/?q=a+white+car")
    cards = vera.locator("[class*='st-key-card-'] [data-testid=stImageCaption]")
    cards.first.wait_for()
    assert all(MINE in text for text in cards.all_inner_texts())
    assert vera.get_by_role("link", name="Index").count() == 0
    vera.goto(f"{address}/account")
    vera.get_by_text(KNOWN).first.wait_for()
    vera.get_by_role("button", name="Log out").click()
    vera.get_by_role("button", name="End session").click()
    vera.goto(address)
    vera.wait_for_url("**/login*")
    vera.context.close()

    for mail, said in {UNKNOWN: "is not a user here", UNVERIFIED: "has not verified"}.items():
        stranger = _log_in(chromium, address, mail)
        stranger.get_by_role("alert").get_by_text(said).wait_for()
        refused = stranger.request.get(f"{address}/_stcore/stream", max_redirects=0)
        assert refused.status in (303, 401)
        stranger.context.close()


def _log_in(chromium: Browser, address: str, mail: str) -> Page:
    context = chromium.new_context(viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.set_default_timeout(60_000)
    # The provider's page wants a style sheet from elsewhere.
    page.route(lambda url: "//localhost" not in url, lambda route: route.abort())
    page.goto(address)
    page.get_by_role("link", name="Log in with single sign-on").click()
    page.get_by_role("button", name=mail).click()
    page.wait_for_url(f"{address}/**")
    return page

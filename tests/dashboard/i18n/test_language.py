from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as Entry
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.pofile import read_po
from streamlit.testing.v1 import AppTest

from dashboard.i18n import gettext as language
from dashboard.i18n.formatting import counted, plain
from dashboard.i18n.gettext import LOCALE, ngettext, preferred, said, speaking
from dashboard.search.page import EXAMPLES
from search_core.errors import LibraryNotFound
from search_core.indexes import INDEX_SPECS
from search_core.messages import Message, joined
from search_core.schema.entity import MediaEntity
from tests.dashboard.conftest import HOSTILE, OpenPage

ROOT = Path(__file__).parents[3]
DASHBOARD = ROOT / "dashboard"
CATALOGUES = sorted(LOCALE.glob("*/LC_MESSAGES/sightline.po"))


@pytest.fixture(scope="module")
def marked() -> set[str | tuple[str, str]]:
    """All that is marked in the code: messages, and pairs of singular and plural."""
    method = "dashboard.i18n.extraction:extract"
    found = {
        message
        for package in ("dashboard", "search_core", "ingest")
        for _file, _line, message, _comments, _context in extract_from_dir(
            ROOT / package, [("**.py", method)]
        )
    }
    workspace = extract_from_file(method, ROOT / "sightline/workspace.py")
    found |= {message for _line, message, _comments, _context in workspace}
    return {message if isinstance(message, str) else (message[0], message[1]) for message in found}


@pytest.fixture(scope="module", params=CATALOGUES, ids=lambda path: path.parents[1].name)
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    path: Path = request.param
    with path.open("rb") as file:
        return read_po(file, locale=path.parents[1].name)


def test_every_marked_message_is_translated_and_none_is_left_over(
    marked: set[str | tuple[str, str]], catalogue: Catalog
) -> None:
    known = {message.id for message in _messages(catalogue)}

    assert not marked - known, "`make words` adds them; then translate them"
    assert not known - marked, "`make words` removes them"
    assert not [message.id for message in catalogue if message.id and message.fuzzy]
    assert not [message.id for message in _messages(catalogue) if not all(_strings(message))]


def test_placeholders_are_named_and_the_same_in_both_languages(catalogue: Catalog) -> None:
    for message in _messages(catalogue):
        ids = _ids(message)
        wanted = set().union(*map(_placeholders, ids))
        assert all(name.isidentifier() for name in wanted), ids
        for string in _strings(message):
            assert _placeholders(string) == wanted, string


def test_no_call_is_inside_an_f_string_where_it_is_not_found() -> None:
    for path in DASHBOARD.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                names = {getattr(part, "id", "") for part in ast.walk(node)}
                assert not names & {"_", "N_", "ngettext"}, f"{path.name}:{node.lineno}"


def test_messages_of_the_core_are_translated_with_the_messages_in_them() -> None:
    error = LibraryNotFound("There is no library {name} here.", name="north {yard}")
    assert said(error.message) == "There is no library north {yard} here."
    with speaking("zh"):
        assert said(error.message) == "这里没有名为 north {yard} 的素材库。"
        assert said("Something new.") == "Something new."
        asked = Message("{count:,} sentences about such footage", count=5000)
        made = said(Message("Queries: {queries}.", queries=asked))
        assert "5,000" in made and not re.search("[a-z]", made)
        assert said(joined(asked, "", asked)).count("5,000") == 2


def test_a_value_is_translated_only_where_it_is_a_message() -> None:
    """A library may be called like a word that has a translation."""
    with speaking("zh"):
        named = Message("There is no library {name} here.", name="night")
        assert "night" in said(named)
        assert said(Message("night")) != "night"


def test_counts_have_the_form_that_goes_with_them() -> None:
    assert counted(1, "keyframe") == "1 keyframe"
    with speaking("zh"):
        assert counted(1, "keyframe") == "1 个关键帧"
        assert counted(2500, "keyframe") == "2,500 个关键帧"
        assert ngettext("{count} hit", "{count} hits", 1).format(count=1) == "1 条结果"


@pytest.mark.parametrize(
    ("cookie", "locales", "expected"),
    [
        ("", "zh-CN", "zh"),
        ("", "zh-TW,zh;q=0.9,en;q=0.8", "zh"),
        ("", "en-GB,zh;q=0.5", "en"),
        ("", "de", "en"),
        ("", "", "en"),
        ("zh", "en-US", "zh"),
        ("en", "zh-CN", "en"),
        ("x'<b>", "zh-CN", "zh"),
    ],
)
def test_the_language_is_what_was_chosen_else_the_browsers(
    cookie: str, locales: str, expected: str
) -> None:
    assert preferred({language.COOKIE: cookie}, locales) == expected


def test_the_button_changes_the_language_of_its_session(data_dir: Path) -> None:
    app = AppTest.from_file(str(DASHBOARD / "navigation.py"), default_timeout=60).run()
    assert "This library is empty" in app.markdown[0].value
    assert app.button(key="switch-language").label == "中文"

    app.button(key="switch-language").click().run()
    assert "素材库是空的" in app.markdown[0].value
    app.button(key="switch-language").click().run()
    assert "This library is empty" in app.markdown[0].value


#: Words of English that Chinese readers of the field use as they are, and names.
_KEPT = {
    *("Sightline", "Milvus", "Lite", "English", "ANN", "CSV", "JSON", "PDF", "SHA", "CLIP", "GiB"),
    *re.findall("[A-Z]{3,}", " ".join(INDEX_SPECS)),
    *("COSINE", "nlist", "nprobe", "efConstruction", "zip", "toml", "SSD"),
    *(
        "person",
        "without",
        "umbrella",
        "sightline",
        "uploads",
        "serve",
        "prune",
        "ViT",
        "UTC",
        "main",
        "cam",
        "stop",
        "person",
    ),
}


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("search", {}),
        ("search", {"q": "街道上的人"}),
        ("library", {}),
        ("library", {"view": "Add footage"}),
        ("library", {"view": "Failures"}),
        ("library", {"view": "Trash"}),
        ("library", {"view": "Libraries"}),
        ("map", {}),
        ("cameras", {}),
        ("index", {}),
        ("index", {"part": "Change by hand"}),
        ("index", {"part": "Advise"}),
    ],
)
def test_a_page_in_chinese_has_no_english_left(
    name: str,
    address: dict[str, str],
    library: list[MediaEntity],
    open_page: OpenPage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(language, "preferred", lambda cookies, locales: "zh")

    app = open_page(name, **address)

    said_there = [text for text in _shown(app) if re.search(r"[\u4e00-\u9fff]", text)]
    assert len(said_there) > 3
    for text in _shown(app):
        left = set(re.findall(r"[A-Za-z]{3,}", _without_data(text))) - _KEPT
        assert not left, text


def _shown(app: AppTest) -> Iterator[str]:
    """All that a page says and labels."""
    assert not app.exception, app.exception
    for element in [*app.main, *app.sidebar]:
        kinds = ["label", "help", "placeholder"]
        if element.type in ("markdown", "caption", "info", "warning", "success", "error"):
            kinds.append("value")
        for kind in kinds:
            text = getattr(element, kind, None)
            if isinstance(text, str):
                yield text
        if element.type != "multiselect":  # of cameras, and of index types
            yield from getattr(element, "options", None) or ()


def _without_data(text: str) -> str:
    text = text.replace(plain(HOSTILE), "").replace(HOSTILE, "")
    text = re.sub(
        r"`[^`]*`|:[a-z]+\[|:material/\w+:|rtsps?:\S+|SIGHTLINE_\w+|local.?-dir.*",
        "",
        text,
    )
    return re.sub("|".join(map(re.escape, EXAMPLES)), "", text)


def _messages(catalogue: Catalog) -> Iterator[Entry]:
    return (message for message in catalogue if message.id)


def _ids(message: Entry) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def _strings(message: Entry) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


def _placeholders(text: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in Formatter().parse(text) if name}

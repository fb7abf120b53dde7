"""Searching as an operator does it, beyond a sentence: pictures, regions, keys, times, links."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ingest.evidence.verification import verify_bundle
from ingest.media.lettering.reader import INSTALL, is_installed
from tests.e2e.clicks import clicks
from tests.e2e.test_browser import (  # noqa: F401
    address,
    chromium,
    data_dir,
    page,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser

FIRST, SECOND = ".st-key-card-1", ".st-key-card-2"


def ask(page: Page, **query: str) -> None:  # noqa: F811
    """Open the page with this search in its address and wait for its pictures."""
    from urllib.parse import urlencode

    page.goto(f"{page.url.split('?')[0]}?{urlencode(query)}")
    page.locator(f"{FIRST} img").first.wait_for()


def settle(page: Page) -> None:  # noqa: F811
    """Wait until the page is drawn."""
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def test_an_uploaded_picture_finds_itself_and_a_region_of_it(
    page: Page,  # noqa: F811
    chromium: Browser,  # noqa: F811
    data_dir: Path,  # noqa: F811
) -> None:
    thumbnail = next((data_dir / "thumbnails").rglob("*.jpg"))
    page.get_by_role("button", name="Picture", exact=True).click()
    page.locator("input[type=file]").set_input_files(thumbnail)
    page.locator(f"{FIRST} img").first.wait_for()
    assert clicks(page) == 1
    page.keyboard.press("Escape")
    page.locator(f"{FIRST} .stButton button").click()
    dialog = page.locator("[role=dialog]").filter(has_text="rank 1")
    score = re.search(r"(\d\.\d{4}), rank 1", dialog.inner_text())
    assert score
    assert float(score[1]) > 0.98
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")

    page.get_by_role("button", name="Region …").click()
    box = page.get_by_role("group", name=re.compile("The region"))
    box.press("ArrowLeft")
    page.get_by_role("button", name="Search this region").click()
    page.wait_for_url("**region=0.23*")
    assert clicks(page) == 3  # the hit itself was opened, too
    page.locator("[role=dialog]").wait_for(state="detached")
    settle(page)
    found = page.locator(".st-key-results").inner_text()

    page.get_by_role("link", name="Library").click()
    page.locator(".st-key-overview").wait_for()
    page.get_by_role("link", name="Search").click()
    page.get_by_alt_text("The picture searched by").wait_for()
    page.wait_for_url(re.compile(r"/\?picture=.*region=0\.23"))  # and no more the library's

    elsewhere = chromium.new_context(timezone_id="Europe/Berlin").new_page()
    elsewhere.set_default_timeout(60_000)
    elsewhere.goto(page.url)
    elsewhere.get_by_alt_text("The picture searched by").wait_for()
    elsewhere.locator(f"{FIRST} img").first.wait_for()
    settle(elsewhere)
    assert elsewhere.locator(".st-key-results").inner_text() == found
    elsewhere.get_by_role("button", name="Remove picture").click()
    elsewhere.wait_for_url(lambda url: "picture=" not in url)
    elsewhere.locator(".st-key-examples").wait_for()
    settle(elsewhere)
    elsewhere.go_back()
    elsewhere.get_by_alt_text("The picture searched by").wait_for()
    elsewhere.context.close()


def test_the_way_back_leads_from_search_to_search(page: Page) -> None:  # noqa: F811
    box = page.locator(".st-key-search-bar .stTextInput input")
    # Faster than anybody types: what makes a step of a sentence is not there with its container.
    page.wait_for_function("!!window.sightlineSteps")
    settle(page)
    for sentence in ("a red square", "a blue square"):
        box.fill(sentence)
        box.press("Enter")
        page.wait_for_url(f"**q={sentence.replace(' ', '+')}*")
        if sentence == "a red square":  # which the encoder does not know: the nearest are asked for
            page.locator(".st-key-weak label").first.click()
            page.wait_for_url("**weak=true*")
        page.locator(f"{FIRST} img").first.wait_for()
        settle(page)
    page.locator(f"{FIRST} .stButton button").click()
    page.get_by_role("button", name="More like this").click()
    page.wait_for_url(lambda url: "like=" in url and "q=" not in url)
    page.locator(f"{FIRST} img").first.wait_for()
    settle(page)

    page.go_back()
    page.wait_for_url(lambda url: "q=a+blue+square" in url and "like=" not in url)
    page.wait_for_url("**moment=*")  # which was open when what is like it was asked for
    page.go_back()
    page.wait_for_url(lambda url: "q=a+blue+square" in url and "moment=" not in url)
    settle(page)
    page.go_back()
    page.wait_for_url("**q=a+red+square*")
    page.wait_for_function(
        "document.querySelector('.st-key-search-bar input').value.includes('red')"
    )
    settle(page)
    page.go_back()
    page.locator(".st-key-examples").wait_for()


def test_a_pasted_picture_is_searched_by(page: Page, data_dir: Path) -> None:  # noqa: F811
    thumbnail = next((data_dir / "thumbnails").rglob("*.jpg"))
    page.locator(".st-key-examples").wait_for()
    page.wait_for_function("document.querySelector('.st-key-page-keys')")
    page.evaluate(
        """bytes => {
            const given = new DataTransfer();
            given.items.add(new File([new Uint8Array(bytes)], "a.jpg", {type: "image/jpeg"}));
            const send = () => document.dispatchEvent(
                new ClipboardEvent("paste", {clipboardData: given, bubbles: true}));
            const again = setInterval(() => {
                if (document.querySelector(".st-key-terms")) clearInterval(again);
                else send();
            }, 1000);
            send();
        }""",
        list(thumbnail.read_bytes()),
    )
    page.locator(f"{FIRST} img").first.wait_for()
    page.get_by_role("button", name="Remove picture").click()
    page.locator(".st-key-examples").wait_for()


def test_keys_walk_the_results_and_the_moments(page: Page) -> None:  # noqa: F811
    ask(page, q="a car", fold="never")
    page.locator(".st-key-page-keys").wait_for(state="attached")
    settle(page)  # what is drawn again loses the focus
    focused = "document.activeElement.innerText.trim() === '{}'"
    page.get_by_role("button", name="Open 1", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(focused.format("Open 2"))
    page.keyboard.press("Enter")
    dialog = page.locator("[role=dialog]")
    dialog.get_by_text("rank 2").wait_for()
    dialog.get_by_role("button", name="Next Shortcut").wait_for()
    page.keyboard.press("ArrowRight")
    dialog.get_by_text("rank 3").wait_for()
    dialog.get_by_text("Why it matched").click()
    dialog.get_by_alt_text(re.compile("^Heat map of the still")).wait_for()
    dialog.get_by_role("button", name=re.compile("^Keyframe at")).first.click()
    dialog.get_by_text("Beside the hit").wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")


def test_an_open_moment_has_its_address(page: Page) -> None:  # noqa: F811
    ask(page, q="a car", fold="never")
    page.locator(".st-key-page-keys").wait_for(state="attached")
    page.get_by_role("button", name="Open 1", exact=True).focus()
    page.keyboard.press("Enter")
    dialog = page.locator("[role=dialog]")
    dialog.get_by_text("rank 1").wait_for()
    page.wait_for_url("**moment=*")
    first = page.url
    dialog.get_by_role("button", name="Next Shortcut").click()
    dialog.get_by_text("rank 2").wait_for()
    page.wait_for_function("first => location.href !== first", arg=first)
    shown = page.locator(f"{SECOND} [data-testid=stImageCaption]").inner_text()
    when = re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", shown)
    assert when
    dialog.get_by_role("heading").filter(has_text=when[0]).wait_for()

    page.reload()
    dialog.get_by_text("rank 2").wait_for()
    page.go_back()
    dialog.wait_for(state="detached")
    assert "moment=" not in page.url and "q=a+car" in page.url

    page.go_forward()
    dialog.get_by_text("rank 2").wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    page.wait_for_function("() => !location.href.includes('moment=')")


def test_evidence_goes_from_a_hit_to_a_zip_that_proves_itself(
    page: Page,  # noqa: F811
    tmp_path: Path,
) -> None:
    ask(page, q="a car", fold="never")
    page.get_by_role("button", name="Open 1", exact=True).click()
    dialog = page.locator("[role=dialog]")
    dialog.get_by_role("button", name="Add to case").click()
    page.get_by_text("As a clip").click()
    name = page.get_by_role("textbox", name="Name")
    name.fill("Car park")
    name.press("Enter")
    page.get_by_role("button", name="Add to the case").click()
    page.get_by_text("Added to the case Car park").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")

    page.get_by_role("link", name="Cases").click()
    item = page.locator("[class*=st-key-case-item-]")
    item.get_by_text("clip 0:").wait_for()
    item.locator("img").first.wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export (zip)").click()
    assert clicks(page) == 6
    bundle = tmp_path / "case.zip"
    download.value.save_as(bundle)
    found = verify_bundle(bundle)
    assert (found.title, found.problems) == ("Car park", ())


def test_the_newest_pictures_are_gone_along_by_hours(page: Page) -> None:  # noqa: F811
    newest = page.locator("[class*=st-key-card-newest-1] [data-testid=stImageCaption]").first
    newest.wait_for()
    settle(page)
    hours = page.get_by_role("slider", name="Hours")  # all footage is of one day
    hours.focus()
    page.keyboard.press("Home")
    page.get_by_text(re.compile(r"until 2026-03-02 10:00:00")).wait_for()
    settle(page)
    assert "09:1" in newest.inner_text()
    assert "09:00" in (hours.get_attribute("aria-valuetext") or "")
    page.keyboard.press("Escape")
    page.get_by_text(re.compile(r"until 2026-03-02")).wait_for(state="detached")
    bars = hours.bounding_box()
    assert bars is not None
    page.mouse.click(bars["x"] + 1, bars["y"] + 10)  # the nearest there is
    page.get_by_text(re.compile(r"until 2026-03-02 10:00:00")).wait_for()
    page.get_by_role("button", name="Back to the newest").click()
    page.get_by_text(re.compile(r"until 2026-03-02")).wait_for(state="detached")


def test_filters_alone_answer_and_are_removed_by_a_click(page: Page) -> None:  # noqa: F811
    page.locator("[class*=st-key-card-newest-1] img").first.wait_for()
    page.goto(f"{page.url.split('?')[0]}?camera=loading-dock")
    chips = page.locator(".st-key-filter-chips button")
    chips.filter(has_text="loading-dock").first.wait_for()
    cards = page.locator("[class*=st-key-card-newest-] [data-testid=stImageCaption]")
    cards.first.wait_for()
    assert all("loading-dock" in text for text in cards.all_inner_texts())
    chips.first.click()
    assert clicks(page) == 1
    page.wait_for_function("() => !location.href.includes('camera=')")
    page.keyboard.press("/")
    page.wait_for_function("() => document.activeElement.matches('.st-key-search-bar input')")


def test_a_page_that_is_turned_to_begins_at_its_top(page: Page) -> None:  # noqa: F811
    page.set_viewport_size({"width": 390, "height": 844})
    ask(page, q="a car", fold="never")
    page.get_by_role("button", name="Next page").click()
    page.wait_for_url("**page=2*")
    page.get_by_role("button", name="Open 21", exact=True).wait_for()
    page.wait_for_function(
        """() => {
            const top = document.querySelector(".st-key-results").getBoundingClientRect().top;
            return top >= 0 && top < innerHeight / 2;
        }"""
    )
    page.get_by_role("button", name="Open 21", exact=True).click()
    actions = page.locator("[role=dialog] .st-key-moment-actions")
    actions.get_by_role("button", name="More like this").wait_for()
    assert (actions.bounding_box() or {"y": 1e9})["y"] < 844 / 2


def test_a_brushed_time_narrows_the_results_and_is_cut_into_clips(
    page: Page,  # noqa: F811
    tmp_path: Path,
) -> None:
    ask(page, q="a car", fold="never", k="100")
    chart = page.locator(".st-key-timeline [data-testid=stVegaLiteChart]")
    chart.locator("canvas, svg").first.wait_for()
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 3, box["y"] + 45, steps=5)
    page.mouse.up()
    page.get_by_role("button", name="Clips of this time").first.click()
    dialog = page.locator("[role=dialog]").filter(has_text="Exact to the frame")
    with page.expect_download() as download:
        dialog.get_by_role("button", name=re.compile(r"Download \d+ clip")).click()
    assert clicks(page) == 3
    download.value.save_as(tmp_path / "clips.zip")
    assert not verify_bundle(tmp_path / "clips.zip").problems
    with zipfile.ZipFile(tmp_path / "clips.zip") as archive:
        clips = json.loads(archive.read("manifest.json"))["items"]
    assert all(clip["cut"] == "copied" and clip["file"].endswith("-clip.mp4") for clip in clips)
    dialog.get_by_text("Add to a case").click()
    dialog.get_by_label("Note").wait_for()
    if dialog.get_by_label("Name").count():  # there is no case yet
        dialog.get_by_label("Name").fill("Cars")
        dialog.get_by_label("Name").press("Enter")
    dialog.get_by_role("button", name="Add to the case").click()
    dialog.get_by_text(re.compile(rf": {len(clips)} clip")).wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    page.get_by_role("button", name="Search only this time").click()
    page.wait_for_url("**after=*")
    page.get_by_role("button", name="Clear filters").click()
    page.wait_for_url(lambda url: "after=" not in url)


def test_a_card_plays_under_the_pointer_and_loads_nothing_before(page: Page) -> None:  # noqa: F811
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    ask(page, q="a car", fold="never")
    settle(page)
    page.wait_for_function("document.querySelector('.st-key-hover-play')")
    assert not any("/footage/" in url for url in asked)
    playing = page.locator(f"{FIRST} video")
    page.locator(FIRST).hover()
    page.wait_for_function(
        """card => {
            const video = document.querySelector(`${card} video`);
            return video?.muted && !video.paused && video.style.visibility === "visible";
        }""",
        arg=FIRST,
    )
    page.mouse.move(2, 2)
    playing.wait_for(state="detached")
    page.emulate_media(reduced_motion="reduce")
    page.locator(f"{FIRST} .stButton button").focus()
    page.keyboard.press("p")
    playing.wait_for()
    page.keyboard.press("p")
    playing.wait_for(state="detached")


def pinch(page: Page, on: Locator, by: int) -> None:  # noqa: F811
    """Move two fingers apart over something, until they are ``by`` times as far from each other."""
    box = on.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    browser = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 40), ("touchMove", 40 * by), ("touchEnd", None)):
        fingers = [] if apart is None else [{"x": x + side * apart / 2, "y": y} for side in (-1, 1)]
        browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})


def test_a_moment_is_looked_at_frame_by_frame_and_closely(page: Page) -> None:  # noqa: F811
    from playwright.sync_api import expect

    ask(page, q="a car", fold="never")
    page.get_by_role("button", name="Open 1", exact=True).click()
    video = page.locator("[role=dialog] video")
    page.wait_for_function("document.querySelector('[role=dialog] video')?.currentTime > 0")
    title = page.locator("[role=dialog] h2").first.inner_text()
    page.get_by_role("button", name="Play or pause").click()
    time = page.locator(".st-key-closer-look output")
    times = [time.inner_text()]
    for key in (".", ".", ".", ","):
        page.keyboard.press(key)
        expect(time).not_to_have_text(times[-1])
        times.append(time.inner_text())
    shown = [60 * float(text.split(":")[0]) + float(text.split(":")[1]) for text in times]
    steps = [round(after - before, 2) for before, after in pairwise(shown)]
    assert steps[1:] == [steps[1], steps[1], -steps[1]]  # one frame each; the first ends the play
    assert times[4] == times[2]

    page.keyboard.press(">")
    assert video.evaluate("video => video.playbackRate") == 1.5
    page.keyboard.press("+")
    assert "scale(1.5)" in video.evaluate("video => video.style.transform")
    page.keyboard.press("0")
    assert video.evaluate("video => video.style.transform") == ""
    pinch(page, video, by=3)
    assert "scale(3)" in video.evaluate("video => video.style.transform")
    page.keyboard.press("0")
    page.locator("[role=dialog]").get_by_label("Tags").press("+")
    assert video.evaluate("video => video.style.transform") == ""  # that was writing
    page.locator(".st-key-closer-look [data-do=on]").focus()  # the list of tags closes
    page.keyboard.press("ArrowRight")
    expect(page.locator("[role=dialog] h2").first).not_to_have_text(title)


def test_a_link_opens_its_moment_and_an_export_names_its_hash(page: Page, tmp_path: Path) -> None:  # noqa: F811
    ask(page, q="a person in a blue top riding a bicycle")
    page.get_by_role("button", name="Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON").click()
    assert clicks(page) == 2
    download.value.save_as(tmp_path / "hits.json")
    record = json.loads((tmp_path / "hits.json").read_bytes())
    assert "riding a bicycle" in record["asked"]
    assert all(re.fullmatch(r"[0-9a-f]{64}", hit["sha256"]) for hit in record["hits"])

    where = f"{page.url.split('?')[0]}?moment={record['hits'][0]['id']}"
    page.goto(where)
    page.locator("[role=dialog] video").wait_for()


def test_a_moment_is_tagged_and_deleted_where_it_is_opened(page: Page) -> None:  # noqa: F811
    ask(page, q="a car", fold="never")
    page.get_by_role("button", name="Open 1", exact=True).click()
    dialog = page.locator("[role=dialog]").filter(has_text="More like this")
    dialog.get_by_label("Tags").fill("looked at")
    page.keyboard.press("Enter")
    page.get_by_text("Tags saved.").wait_for()
    page.keyboard.press("Escape")  # closes the list
    strip = dialog.locator(".st-key-strip")
    assert strip.evaluate("strip => getComputedStyle(strip).flexWrap") == "nowrap"  # still styled

    dialog.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete this picture").click()
    page.get_by_text("Deleted 1 picture.").wait_for()
    assert clicks(page) == 3
    dialog.wait_for(state="detached")


def test_pictures_are_selected_by_range_and_key_tagged_and_deleted(page: Page) -> None:  # noqa: F811
    ask(page, q="a person", fold="never", weak="true")
    settle(page)

    def tick(number: int) -> Locator:
        return page.locator(f".st-key-card-{number} .tick")

    bar = page.locator(".st-key-selection")
    tick(2).click()
    bar.get_by_text("1 picture selected").wait_for()
    tick(5).click(modifiers=["Shift"])
    bar.get_by_text("4 pictures selected").wait_for()
    tick(4).click(modifiers=["Shift"])  # unticks: of the range, and only of it
    bar.get_by_text("2 pictures selected").wait_for()
    settle(page)
    page.locator(".st-key-card-1 .tick").focus()
    page.keyboard.press("Space")
    bar.get_by_text("3 pictures selected").wait_for()

    page.get_by_role("button", name="Next page").click()
    page.wait_for_url("**page=2*")
    tick(21).click()
    bar.get_by_text("4 pictures selected").wait_for()
    settle(page)
    bar.get_by_role("button", name="Tag …").click()
    dialog = page.locator("[role=dialog]").filter(has_text="chosen by hand")
    dialog.get_by_label("Add", exact=True).fill("red van")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")  # closes the list, which hides all else
    dialog.get_by_role("button", name="Change tags").click()
    page.get_by_text("Changed the tags of 4 pictures.").wait_for()
    bar.wait_for(state="detached")
    page.locator(".st-key-card-21").get_by_text("red van").wait_for()

    tick(21).click()
    bar.get_by_role("button", name="Delete …").click()
    page.get_by_role("button", name="Delete 1 picture").click()
    page.get_by_text("Deleted 1 picture.").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Restored 1 picture.").wait_for()


def test_the_bar_of_a_selection_stays_in_view_and_below_the_results_on_a_phone(
    page: Page,  # noqa: F811
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    ask(page, q="a person", weak="true")
    settle(page)
    page.locator(f"{FIRST} .tick").click()
    bar = page.locator(".st-key-selection")
    bar.wait_for()
    settle(page)
    box = bar.bounding_box()
    assert box and box["y"] + box["height"] <= 844 and box["height"] < 844 / 6
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    for button in bar.locator(".st-key-selection-actions button:visible").all():
        placed = button.bounding_box()
        assert placed and placed["x"] + placed["width"] <= 390 and placed["height"] >= 30

    page.locator("[data-testid=stMain]").evaluate("main => main.scrollTo(0, 1e6)")
    page.wait_for_function(
        """() => {
            const place = (name) => document.querySelector(name).getBoundingClientRect();
            return place(".st-key-results").bottom <= place(".st-key-selection").top;
        }"""
    )
    bar.get_by_role("button", name="Leave out").first.click()
    page.wait_for_url("**not_like=*")
    page.get_by_alt_text("A picture that is left out").first.wait_for()
    bar.wait_for(state="detached")


@pytest.mark.skipif(not is_installed(), reason=f"needs the extra reading: {INSTALL}")
def test_words_that_were_read_are_found_in_quotation_marks_and_framed(
    page: Page,  # noqa: F811
    data_dir: Path,  # noqa: F811
) -> None:
    command = [sys.executable, "-m", "sightline.cli.main", "--data-dir", str(data_dir)]
    subprocess.run([*command, "library", "read"], check=True, capture_output=True)

    box = page.get_by_placeholder("Describe it in a sentence")
    box.fill('"JCN"')
    box.press("Enter")
    page.locator(FIRST).get_by_text("read: JCN").wait_for()
    settle(page)
    page.get_by_role("button", name="Open 1", exact=True).click()
    page.get_by_text("what was read").wait_for()
    page.get_by_text("Burned in LOADING-DOCK").wait_for()  # burned in: told, and not found
    page.get_by_text("Why it matched").click()
    page.get_by_text("Framed: the words that were read").wait_for()
    page.keyboard.press("Escape")

    box.fill('"LOADING-DOCK"')
    box.press("Enter")
    page.get_by_text("These words were read on no picture").wait_for()


def give_tiles(data_dir: Path) -> None:  # noqa: F811
    """Give the library regions, as the command does."""
    command = [sys.executable, "-m", "sightline.cli.main", "--data-dir", str(data_dir)]
    regions = [*command, "library", "reembed", "--regions", "tiles"]
    subprocess.run(regions, check=True, capture_output=True)


def test_a_stored_region_is_searched_by_and_left_out(
    page: Page,  # noqa: F811
    data_dir: Path,  # noqa: F811
) -> None:
    give_tiles(data_dir)
    ask(page, q="a lorry")
    settle(page)
    stored = page.locator(".st-key-stored-regions")
    for action, wanted in (("like", "like"), ("unlike", "not_like")):
        page.locator(f"{FIRST} .stButton button").first.click()
        page.get_by_role("button", name="Region", exact=True).first.click()
        stored.get_by_alt_text("Region 1", exact=True).wait_for()
        stored.locator(f".st-key-{action}-region-1 button").first.click()
        page.wait_for_url(re.compile(rf"[?&]{wanted}=[^&]*-t\d+"))
        page.locator("[role=dialog]").wait_for(state="detached")
        page.locator(f"{FIRST} img").first.wait_for()
        settle(page)
    page.get_by_text("This region").wait_for()


def test_an_outlined_region_is_chosen_by_a_click_on_the_picture_and_by_keys(
    page: Page,  # noqa: F811
    data_dir: Path,  # noqa: F811
) -> None:
    give_tiles(data_dir)
    outlines = page.locator(".stored button")
    chosen = page.locator(".stored button[aria-pressed=true]")

    def choose() -> None:
        ask(page, q="a lorry")
        settle(page)
        page.locator(f"{FIRST} .stButton button").first.click()
        page.get_by_role("button", name="Region", exact=True).first.click()
        outlines.first.wait_for()

    choose()
    picture = page.get_by_alt_text("The picture to choose a region of")
    whole = picture.bounding_box()
    assert whole is not None
    page.mouse.click(whole["x"] + 0.1 * whole["width"], whole["y"] + 0.1 * whole["height"])
    chosen.wait_for()
    ninth = chosen.bounding_box()  # of those that lie there, the smallest
    assert ninth is not None and abs(ninth["width"] - whole["width"] / 3) < 3
    page.get_by_role("button", name="Leave it out").first.click()
    page.wait_for_url(re.compile(r"[?&]not_like=[^&]*-t4"))
    page.locator("[role=dialog]").wait_for(state="detached")

    choose()
    outlines.nth(2).focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Leave it out").first.wait_for()
    assert outlines.nth(2).get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Search this region").click()
    page.wait_for_url(re.compile(r"[?&]like=[^&]*-t\d+"))

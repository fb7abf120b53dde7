"""Users at once: how long a search takes through the dashboard's own server.

    sightline --data-dir data serve --port 8501
    python -m benchmarks.dashboard_users http://127.0.0.1:8501 [--users 20] [--searches 10]

Each user is a connection that speaks the dashboard's protocol as a browser does: it opens the page,
then enters sentences, waits until the page has been drawn, and fetches the first page's thumbnails
that it has not fetched before. What a browser itself does with them is not in it (a browser for
every user would take more of the machine than the server). Printed are the times from sending a
sentence to the first card, to the end of the page and to the last thumbnail, and what of them the
page itself says went into embedding the sentence and asking Milvus: first of one user alone, then
with seconds of thought in between, then with all users pressing Enter at once, again and again.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field

import websockets
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.typing import Origin

from search_core.lab.timing import percentile_ms

SENTENCES = tuple(
    f"a {colour} {thing}"
    for colour in ("red", "white", "black", "yellow", "blue", "green")
    for thing in ("car", "van", "bus", "dog", "bicycle", "umbrella")
)
_SPLIT = re.compile(r"encode (\d+) ms, Milvus (\d+) ms")
_ZONE = "Europe/Berlin"


@dataclass(slots=True)
class Times:
    """Seconds of every search, by what was waited for; and what went wrong."""

    card: list[float] = field(default_factory=list)
    page: list[float] = field(default_factory=list)
    pictures: list[float] = field(default_factory=list)
    encode: list[float] = field(default_factory=list)
    milvus: list[float] = field(default_factory=list)
    thumbnails: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Drawn:
    """What one drawing of the page told: when the first card came, the pictures, and errors.

    ``split`` is the seconds of embedding and of Milvus, which a page with results says.
    """

    card: float = 0.0
    pictures: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    split: tuple[float, float] | None = None


class User:
    """One connection with what its browser would remember."""

    def __init__(self, address: str, number: int) -> None:
        self._address = address
        self._draw = random.Random(number)  # noqa: S311
        self._socket: websockets.ClientConnection | None = None
        self._box = ""
        self._fetched: set[str] = set()

    async def open(self) -> None:
        """Open the page."""
        stream = self._address.replace("http", "ws", 1) + "/_stcore/stream"
        self._socket = await websockets.connect(stream, max_size=None, origin=Origin(self._address))
        await self._run(None)

    async def search(self, times: Times) -> None:
        """Enter a sentence and wait for all that it shows."""
        started = time.perf_counter()
        try:
            drawn = await self._run(self._draw.choice(SENTENCES))
            ended = time.perf_counter()
            pictures = drawn.pictures
            await asyncio.gather(*(asyncio.to_thread(self._fetch, url) for url in pictures))
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            times.errors.append(repr(error))
            return
        times.errors.extend(drawn.errors)
        times.card.append((drawn.card or ended) - started)
        times.page.append(ended - started)
        times.pictures.append(time.perf_counter() - started)
        times.thumbnails.append(time.perf_counter() - ended)
        if drawn.split is not None:
            times.encode.append(drawn.split[0])
            times.milvus.append(drawn.split[1])

    async def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            await self._socket.close()

    async def _run(self, sentence: str | None) -> Drawn:
        assert self._socket is not None
        message = BackMsg()
        message.rerun_script.context_info.timezone = _ZONE
        message.rerun_script.context_info.url = self._address
        if sentence is not None:
            widget = message.rerun_script.widget_states.widgets.add()
            widget.id, widget.string_value = self._box, sentence
        await self._socket.send(message.SerializeToString())
        drawn = Drawn()
        async with asyncio.timeout(60):
            while True:
                told = ForwardMsg()
                told.ParseFromString(await self._socket.recv())
                kind = told.WhichOneof("type")
                if kind == "script_finished":
                    return drawn
                if kind != "delta" or told.delta.WhichOneof("type") != "new_element":
                    continue
                element = told.delta.new_element
                if element.WhichOneof("type") == "text_input":
                    self._box = element.text_input.id
                elif element.WhichOneof("type") == "imgs":
                    drawn.card = drawn.card or time.perf_counter()
                    drawn.pictures += [image.url for image in element.imgs.imgs]
                elif element.WhichOneof("type") == "markdown":
                    if split := _SPLIT.search(element.markdown.body):
                        drawn.split = (int(split[1]) / 1000, int(split[2]) / 1000)
                elif element.WhichOneof("type") == "exception" or _is_error(element):
                    drawn.errors.append(str(element)[:200])

    def _fetch(self, url: str) -> None:
        if url in self._fetched or not url.startswith("/"):
            return
        self._fetched.add(url)
        with urllib.request.urlopen(self._address + url, timeout=60) as answer:  # noqa: S310
            answer.read()


def _is_error(element: Element) -> bool:
    """Whether a page says that something went wrong; "no good match" is an answer."""
    return element.WhichOneof("type") == "alert" and element.alert.format == Alert.ERROR


async def _with_thought(users: Iterable[User], searches: int, thought_s: float) -> Times:
    times = Times()

    async def one(user: User) -> None:
        for _ in range(searches):
            await asyncio.sleep(random.uniform(0.2, 1.8) * thought_s)  # noqa: S311
            await user.search(times)

    await asyncio.gather(*map(one, users))
    return times


async def _at_once(users: Iterable[User], searches: int) -> Times:
    times = Times()
    for _ in range(searches):
        await asyncio.gather(*(user.search(times) for user in users))
    return times


def _print(name: str, times: Times) -> None:
    print(f"{name}: {len(times.page)} searches, {len(times.errors)} errors")
    for what, found in (
        ("first card", times.card),
        ("page", times.page),
        ("all", times.pictures),
        ("encode", times.encode),
        ("Milvus", times.milvus),
        ("thumbnails", times.thumbnails),
    ):
        if found:
            p50, p95, most = (percentile_ms(found, percent) for percent in (50, 95, 100))
            print(f"  {what:11} p50 {p50:6.0f} ms   p95 {p95:6.0f} ms   max {most:6.0f} ms")
    for error in times.errors[:3]:
        print(f"  {error}")


async def _main(address: str, count: int, searches: int, thought_s: float) -> None:
    users = [User(address, number) for number in range(count)]
    await asyncio.gather(*(user.open() for user in users))
    await _at_once(users[:1], 3)
    _print("One user", await _at_once(users[:1], searches))
    name = f"{count} users, {thought_s:g} s of thought"
    _print(name, await _with_thought(users, searches, thought_s))
    _print(f"{count} users at once", await _at_once(users, searches))
    await asyncio.gather(*(user.close() for user in users))


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--searches", type=int, default=10)
    parser.add_argument("--thought-s", type=float, default=5.0)
    given = parser.parse_args()
    address = urllib.parse.urlsplit(given.address)
    asyncio.run(
        _main(f"{address.scheme}://{address.netloc}", given.users, given.searches, given.thought_s)
    )


if __name__ == "__main__":
    main()

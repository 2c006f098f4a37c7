"""Replay and record: bytes as they stand in the file, at the times in the file."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.manager.venues.hyperliquid.simulator.engine import Engine
from wsmgr.manager.venues.hyperliquid.simulator.options import SimulatorOptionError, SimulatorOptions
from wsmgr.manager.venues.hyperliquid.simulator.replay import ReplayError, load_recordings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Bytes that a decoder and an encoder would not give back: spaces, escapes, numbers, doubled keys.
ODD_FRAME = '{ "channel":"trades", "data":[{"px":"1.50","x":1.50e+1,"s":"\\u00e9\\/é","x":2}] }'
TRADES = '{"type":"trades","coin":"NOWHERE"}'


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    lines = [
        f'{{"subscription":{TRADES},"frame":{ODD_FRAME},"timestamp":1.5}}',
        f'{{"timestamp":0.5,"frame":"first","subscription":{TRADES}}}',
        "",
        '{"subscription":{"type":"l2Book","coin":"BTC","nSigFigs":null},"frame":{"l2":1},"timestamp":0.25}',
        f'{{"subscription":{TRADES},"frame":{{"third":3}},"timestamp":2.0,"note":"ignored"}}',
    ]
    path = tmp_path / "capture.jsonl"
    path.write_text("\n".join(lines))
    return path


def test_frames_are_played_byte_for_byte_at_their_times(
    make_venue: Callable[..., Any], capture: Path
) -> None:
    """Counted from the acknowledgement; after the last frame the stream is silent."""
    client = make_venue(replay=capture).connect()
    client.venue.advance(10)
    client.subscribe("trades", coin="NOWHERE")
    client.texts()
    seen: list[tuple[float, str]] = []
    for _ in range(30):
        client.venue.advance(0.125)
        seen += [(client.venue.now - 10, text) for text in client.texts()]
    assert [(0.5, '"first"'), (1.5, ODD_FRAME), (2.0, '{"third":3}')] == seen


def test_each_subscription_is_played_on_its_own(make_venue: Callable[..., Any], capture: Path) -> None:
    """Two sockets that came at different times each get the whole, from their own beginning."""
    venue = make_venue(replay=capture)
    one = venue.connect()
    one.subscribe("trades", coin="NOWHERE")
    venue.advance(1)
    two = venue.connect()
    two.subscribe("trades", coin="NOWHERE")
    venue.advance(0.6)
    assert (3, 2) == (len(one.texts()), len(two.texts()))
    venue.advance(5)
    assert (1, 2) == (len(one.texts()), len(two.texts()))


def test_rate_replaces_the_times_and_loop_begins_again(make_venue: Callable[..., Any], capture: Path) -> None:
    """Ten frames a second, the first after the eighth of three."""
    client = make_venue(replay=capture, rate=10, loop=True).connect()
    client.subscribe("trades", coin="NOWHERE")
    client.texts()
    client.venue.advance(1.05)
    texts = client.texts()
    assert 10 == len(texts)
    assert ['"first"', ODD_FRAME, '{"third":3}', '"first"'] == texts[:4]


def test_defaults_do_not_matter_for_what_is_played(make_venue: Callable[..., Any], capture: Path) -> None:
    """A capture's null and a client's left-out field are the same subscription."""
    client = make_venue(replay=capture).connect()
    client.subscribe("l2Book", coin="BTC", mantissa=None)
    client.venue.advance(1)
    assert ['{"l2":1}'] == client.texts()[1:]


def test_what_the_file_does_not_hold_is_refused(make_venue: Callable[..., Any], capture: Path) -> None:
    """Also a coin that the market would have."""
    client = make_venue(replay=capture).connect()
    client.subscribe("trades", coin="BTC")
    expected = {"channel": "error", "data": 'Invalid subscription {"type":"trades","coin":"BTC"}'}
    assert [expected] == client.frames()


def test_subscribing_again_begins_again_and_plays_once(make_venue: Callable[..., Any], capture: Path) -> None:
    """The playing that an unsubscribe ended does not come back beside the new one."""
    client = make_venue(replay=capture).connect()
    client.subscribe("trades", coin="NOWHERE")
    client.venue.advance(1)
    client.unsubscribe("trades", coin="NOWHERE")
    client.subscribe("trades", coin="NOWHERE")
    client.texts()
    client.venue.advance(5)
    assert ['"first"', ODD_FRAME, '{"third":3}'] == client.texts()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "line 1"),
        ('{"frame":{}}', "line 1: .*subscription"),
        ('{"subscription":{"type":"nothing"},"frame":{}}', "line 1: no subscription type 'nothing'"),
        ("", "has no frame in it"),
    ],
)
def test_file_of_another_format_is_refused_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    """At the start, not when a client subscribes."""
    path = tmp_path / "bad.jsonl"
    path.write_text(line)
    with pytest.raises(ReplayError, match=message):
        load_recordings(path, rate=None, loop=False)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """The message says which."""
    with pytest.raises(ReplayError, match=r"cannot read the capture .*nowhere\.jsonl"):
        load_recordings(tmp_path / "nowhere.jsonl", rate=None, loop=False)


def test_loop_and_real_rate_are_refused_where_they_mean_nothing(capture: Path) -> None:
    """Options that would be ignored are errors."""
    with pytest.raises(SimulatorOptionError, match="loop is set without replay"):
        SimulatorOptions(loop=True)
    with pytest.raises(SimulatorOptionError, match="leave rate out"):
        SimulatorOptions(replay=capture, rate="real")


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), "fast"])
def test_rate_that_is_none_is_refused(rate: Any) -> None:
    """The message says what fits."""
    with pytest.raises(SimulatorOptionError, match="give frames a second"):
        SimulatorOptions(rate=rate)


def test_recording_can_be_replayed(make_venue: Callable[..., Any], tmp_path: Path) -> None:
    """What was sent, byte for byte, in the capture format."""
    file = io.StringIO()
    now = 3.0
    engine = Engine(SimulatorOptions(), now=lambda: now, started_at=0.0, record_to=file)
    session = engine.open("/ws", "127.0.0.1", lambda: None)
    session.received('{"method":"subscribe","subscription":{"type":"l2Book","coin":"BTC","nSigFigs":5}}', now)
    engine.hub.run(now)
    sent = session.take(now)[1:]
    path = tmp_path / "recorded.jsonl"
    path.write_text(file.getvalue())
    assert {"type": "l2Book", "coin": "BTC", "nSigFigs": 5} == json.loads(file.getvalue())["subscription"]
    client = make_venue(replay=path).connect()
    client.subscribe("l2Book", coin="BTC", nSigFigs=5)
    client.venue.advance(1)
    assert sent == client.texts()[1:]

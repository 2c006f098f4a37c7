"""Printing: turns what a reader of a stream gets into what stdout and stderr are given.

No input or output happens here. A reader hands over batches of stream lines (or, for `--raw`, frames and event lines); back
comes what is to be written as one piece, with the words for stderr and whether the stream is at its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec
from attrs import define, field

from wsmgr.cli import cells
from wsmgr.cli.errors import DONE, FAILED, REFUSED
from wsmgr.cli.headline import headline
from wsmgr.cli.output import printable_json
from wsmgr.manager.model.subscription import State
from wsmgr.manager.runtime.lines import STOPPING, is_event

ANSWERED: Final = frozenset({State.ACKNOWLEDGED.value, State.LIVE.value, State.STALE.value})
"""States in which a subscription waits for nothing but messages."""
PROVED: Final = {"empty": "proved empty", "filled": "filled"}
"""What is known of a gap that is whole, in words."""
Form = Literal["json", "raw", "people"]
_ELLIPSIS: Final = "…"
_NARROWEST: Final = 20


@define
class Printer:
    """Prints one stream.

    Attributes:
        form: JSON lines, the venue's frames, or a line for people.
        events: Whether event lines are printed too, as JSON.
        count: How many messages are wanted; None for all.
        width: How wide a line for people may be; None where stdout is no terminal.
        id: The subscription's id, as soon as that is known.
        label: What the stream is called on stderr: its subscription key, as soon as that is known.
        printed: How many messages have been printed.
        said: What stderr is to be told; the caller takes it away.
        ended: The exit code, as soon as an event has said that nothing more will come; else None.
    """

    form: Form
    events: bool = False
    count: int | None = None
    width: int | None = None
    id: str = ""
    label: str = ""
    printed: int = 0
    said: list[str] = field(factory=list[str])
    ended: int | None = None

    @property
    def finished(self) -> bool:
        """Whether as many messages were printed as were wanted."""
        return self.count is not None and self.printed >= self.count

    @property
    def over(self) -> bool:
        """Whether nothing more is wanted, or will come; the end of the daemon is no such end: it may be back."""
        return self.finished or self.ended is not None

    def lines(self, batch: Iterable[bytes]) -> bytes:
        """Return what is printed for stream lines, which come without their line feeds."""
        printed: list[bytes] = []
        for line in batch:
            if self.finished:
                break
            if is_event(line):
                self._event(line, printed)
                continue
            self.printed += 1
            printed.append(self._json(line) if self.form == "json" else self._for_people(line))
        return _with_line_feeds(printed)

    def frames(self, batch: Iterable[bytes]) -> bytes:
        """Return what is printed for the venue's frames."""
        printed: list[bytes] = []
        for frame in batch:
            if self.finished:
                break
            self.printed += 1
            printed.append(frame)
        return _with_line_feeds(printed)

    def event(self, line: bytes) -> None:
        """Take an event that comes among frames: it is for stderr alone."""
        self._event(line, [])

    def verdict(self, *, over: bool, waits_for: str | None = None) -> int:
        """Return the exit code of a stream that has ended.

        Args:
            over: Whether its time was over.
            waits_for: What the subscription waited for at that time, such as the reason of the last dial, or None.
        """
        if self.finished:
            return DONE
        if over:
            why = f": {cells.words(waits_for)}" if waits_for and not self.printed else ""
            if self.count is not None:
                self.said.append(f"the time is over after {self.printed} of {self.count} messages{why}")
                return FAILED
            if why:
                self.said.append(f"the time is over before a message came{why}")
            return DONE
        if self.ended == DONE and self.count is not None:
            self.said.append(f"the stream ended after {self.printed} of {self.count} messages")
            return FAILED
        return FAILED if self.ended is None else self.ended

    def take_said(self) -> list[str]:
        """Return what stderr is to be told, and forget it."""
        said, self.said = self.said, []
        return said

    def _event(self, line: bytes, printed: list[bytes]) -> None:
        event: dict[str, Any] = msgspec.json.decode(line)
        match event["event"]:
            case "subscribed":
                self.id = str(event["id"])
                self.label = str(event["subscription"]["key"])
                return
            case "cursor":
                # For whoever reads the stream, to come back to its place.
                return
            case _:
                pass
        words = told(event, self.label, whole=self.form == "json")
        if words is not None:
            self.said.append(words)
        match event["event"]:
            case "closed" if event["by"] != STOPPING:
                self.ended = DONE
            case "rejected":
                self.ended = REFUSED
            case "failed":
                self.ended = FAILED
            case _:
                pass
        if self.events:
            printed.append(self._json(line))

    def _json(self, line: bytes) -> bytes:
        return line if self.width is None else printable_json(line)

    def _for_people(self, line: bytes) -> bytes:
        message = msgspec.json.decode(line, type=_Shown)
        marks = [mark for mark in ("snapshot", "replayed", "healed") if getattr(message, mark)]
        if message.gap is not None:
            marks.append(f"after a gap of {cells.duration(message.gap['duration'])}")
        when = cells.instant(message.received_at)
        name = [cells.printable(message.key), f"{message.epoch}:{message.seq}"]
        prices = headline(message.type, message.data)
        # Prices stand before the name, which is the same on every line: a narrow terminal cuts the end.
        parts = (
            [when, *name, *marks, cells.printable(bytes(message.data).decode(errors="replace"))]
            if prices is None
            else [when, *marks, cells.printable(prices), *name]
        )
        text = "  ".join(parts)
        if self.width is not None and len(text) > max(self.width, _NARROWEST):
            text = text[: max(self.width, _NARROWEST) - 1] + _ELLIPSIS
        return text.encode()


class _Shown(msgspec.Struct):
    """What a line for people shows of a message."""

    type: str
    key: str
    seq: int
    epoch: int
    received_at: str
    data: msgspec.Raw
    snapshot: bool = False
    replayed: bool = False
    healed: bool = False
    gap: dict[str, Any] | None = None


def told(event: dict[str, Any], label: str, *, whole: bool = False) -> str | None:
    """Return the words for stderr about an event, or None where it needs none.

    Args:
        event: The event, as an event line writes it.
        label: The subscription key.
        whole: Whether it has all that the venue said; else at most 500 characters.
    """
    label = cells.printable(label)

    def said(member: str) -> str:
        return cells.words(str(event[member]), whole=whole)

    match event["event"]:
        case "stale":
            return f"stale: {label}: silent since {cells.clock(event['since'])}; it is being repaired"
        case "interrupted":
            again = event.get("next_attempt_at")
            when = f"; tried again at {cells.clock(again)}" if again else ""
            return f"interrupted: {label}: {said('cause')}{when}"
        case "gap":
            missing = event.get("missing")
            count = "" if missing is None else f", {missing} messages missing"
            proof = event.get("proof")
            proved = "" if proof is None else f"; {PROVED[proof]} by {cells.words(str(event['healed_by']))}"
            return f"gap of {event['duration']:.1f} s on {label}: {said('reason')}{count}{proved}"
        case "healed":
            return _healed(event, label)
        case "lagged":
            return f"{event['dropped']} messages of {label} were dropped: this consumer is too slow"
        case "rejected":
            return f"the venue refused {label}: {said('error')}"
        case "failed":
            return f"{label} ended: {said('error')}"
        case "closed" if event["by"] != STOPPING:
            return f"{label} was ended: {said('by')}"
        case _:
            return None


def _healed(event: dict[str, Any], label: str) -> str:
    """Return the words about a gap that was looked into after it had ended."""
    gap = event["gap"]
    about = f"the gap of {gap['duration']:.1f} s on {label}"
    proof = gap["proof"]
    if proof is None:
        return f"{about} stays open: {cells.words(str(gap['open_because']))}"
    items = f" with {event['items']} items" if proof == "filled" else ""
    return f"{about} is {PROVED[proof]}{items} by {cells.words(str(gap['healed_by']))}"


def _with_line_feeds(parts: list[bytes]) -> bytes:
    return b"\n".join([*parts, b""]) if parts else b""

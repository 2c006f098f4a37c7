"""The desk: each action is checked, signed, sent once, and noted; nothing secret leaves it."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from attrs import define
from tests.manager.venues.hyperliquid.exchange.world import (
    ADDRESS,
    DEFAULT,
    KEY,
    NONCE,
    ORDER,
    PARAMS,
    VAULT,
    WHO,
    Desk,
    Line,
    Names,
)

from wsmgr.manager.model.errors import (
    ActionForbiddenError,
    ConfigurationError,
    ManagerClosedError,
    ParameterError,
    RequestNotSentError,
    UsageError,
)
from wsmgr.manager.model.outcome import Answered, Outcome, Refused, Unknown
from wsmgr.manager.venues.hyperliquid.exchange import CALLS, Account, PrecisionError, TradingPolicy
from wsmgr.manager.venues.hyperliquid.signing import NonceError, Nonces, SecretKey
from wsmgr.manager.venues.hyperliquid.universe import Asset, Token, UniverseError, UnknownAssetError

if TYPE_CHECKING:
    from wsmgr.manager.model.fact import Fact

pytestmark = pytest.mark.anyio
OTHER_KEY = "0x" + "02" * 32
CANNOT = "the venue's answer cannot be read: "
SECRETS = (KEY[2:], str(int(KEY, 16)), '"r"', "signature", "0x" + KEY[2:].upper())


def answering(answer: Outcome[Any] | BaseException) -> Desk:
    return Desk(line=Line(answer))


def last(desk: Desk) -> dict[str, Any]:
    return dict(desk.notes[-1].detail)


async def test_an_action_is_sent_once_and_its_response_returned() -> None:
    """As an action, with the caller's deadline; the venue's envelope is opened."""
    desk = Desk()
    assert Answered(DEFAULT) == await desk.act("place_order", ORDER, timeout=7.0)
    assert ["action"] == desk.line.kinds
    assert [pytest.approx(7.0, abs=0.5)] == desk.line.timeouts
    (payload,) = desk.line.sent
    assert ["action", "nonce", "signature", "vaultAddress", "expiresAfter"] == list(payload)
    assert (NONCE, None, None) == (payload["nonce"], payload["vaultAddress"], payload["expiresAfter"])


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answered({"status": "ok", "response": {"type": "order"}}), Answered({"type": "order"})),
        (Answered({"status": "err", "response": "Insufficient margin"}), Refused("Insufficient margin")),
        (Answered({"status": "err", "response": ["odd"]}), Refused("['odd']")),
        (Answered({"status": "err"}), Refused("it gave no reason")),
        (Answered({"status": "err", "response": None}), Refused("it gave no reason")),
        (Answered({"status": "ok"}), Answered(None)),
        (Answered({"status": "new", "response": 1}), Unknown(f"{CANNOT}{{'response': 1, 'status': 'new'}}")),
        (Answered({"type": "order"}), Unknown(f"{CANNOT}{{'type': 'order'}}")),
        (Answered("Internal error"), Unknown(f"{CANNOT}'Internal error'")),
        (Answered(None), Unknown(f"{CANNOT}None")),
        (Refused("429 Too Many Requests"), Refused("429 Too Many Requests")),
        (Refused("422 more than 500 orders"), Refused("422 more than 500 orders")),
        (Refused("5000 is too much"), Refused("5000 is too much")),
        (Refused("504 Gateway Timeout: upstream"), Unknown("504 Gateway Timeout: upstream")),
        (Refused("500"), Unknown("500")),
        (Unknown("the connection was lost"), Unknown("the connection was lost")),
    ],
)
async def test_every_answer_becomes_one_outcome(answer: Outcome[Any], outcome: Outcome[Any]) -> None:
    """A refusal is a refusal however the venue wraps it; what says neither yes nor no may have been carried out."""
    assert outcome == await answering(answer).act("place_order", ORDER)


async def test_an_unknown_outcome_is_never_sent_again() -> None:
    """It may have been carried out."""
    desk = answering(Unknown("the connection was lost"))
    assert Unknown("the connection was lost") == await desk.act("place_order", ORDER)
    assert 1 == len(desk.line.sent)
    assert ("error", "unknown", "the connection was lost") == (
        desk.notes[-1].level,
        last(desk)["outcome"],
        last(desk)["words"],
    )


@pytest.mark.parametrize(
    "error", [RequestNotSentError("no connection"), ManagerClosedError("the manager has ended")]
)
async def test_what_was_not_sent_is_noted_so_and_not_tried_again(error: Exception) -> None:
    """The caller decides."""
    desk = answering(error)
    with pytest.raises(type(error)):
        await desk.act("place_order", ORDER)
    assert 1 == len(desk.line.sent)
    assert ("not sent", str(error)) == (last(desk)["outcome"], last(desk)["words"])


async def test_giving_up_the_answer_leaves_the_outcome_unknown() -> None:
    """A cancelled call is noted: the action may be carried out all the same."""

    class Silent(Line):
        async def request(self, *args: Any, **more: Any) -> Outcome[Any]:
            started.set()
            await anyio.sleep_forever()
            raise AssertionError

    started = anyio.Event()
    desk = Desk(line=Silent())
    async with anyio.create_task_group() as group:
        group.start_soon(desk.act, "place_order", ORDER)
        await started.wait()
        group.cancel_scope.cancel()
    assert ("unknown", "it was given up before its answer came") == (
        last(desk)["outcome"],
        last(desk)["words"],
    )
    assert 1 == len(desk.notes)


async def test_an_action_is_recorded_before_its_bytes_go_out_and_its_outcome_after() -> None:
    """Who is killed in between leaves the nonce by which the venue can be asked."""
    seen: list[Any] = []

    class Looking(Line):
        async def request(self, *args: Any, **more: Any) -> Outcome[Any]:
            seen.append(([dict(fact.detail) for fact in desk.records], list(desk.notes)))
            return await Line.request(self, *args, **more)

    desk = Desk(line=Looking(), disk=0.05)
    await desk.act("place_order", ORDER, timeout=5.0)
    ((records, notes),) = seen
    assert [("sending", NONCE, ADDRESS, ["BTC"])] == [
        (each["outcome"], each["nonce"], each["account"], each["assets"]) for each in records
    ]
    assert ([], 1) == (notes, len(desk.records))
    assert ["answered"] == [fact.detail["outcome"] for fact in desk.notes]
    assert NONCE == last(desk)["nonce"]
    assert "tester" == desk.records[0].actor


async def test_a_disk_that_does_not_answer_takes_half_of_the_time_at_most() -> None:
    """Trading is never stopped by the disk, and the deadline holds."""
    desk = Desk(disk=60.0)
    with anyio.fail_after(5):
        assert Answered(DEFAULT) == await desk.act("place_order", ORDER, timeout=1.0)
    (left,) = desk.line.timeouts
    assert 0.1 < left <= 0.5


async def test_giving_up_while_it_is_recorded_sends_nothing() -> None:
    """The record is answered by a note; whoever cancelled it can tell."""

    class Recording(Desk):
        async def record(self, fact: Fact) -> None:
            started.set()
            await Desk.record(self, fact)

    started = anyio.Event()
    desk = Recording(disk=60.0)
    causes: list[Any] = []

    async def act() -> None:
        try:
            await desk.act("place_order", ORDER)
        except anyio.get_cancelled_exc_class() as error:
            causes.append(type(error.__cause__))
            raise

    async with anyio.create_task_group() as group:
        group.start_soon(act)
        with anyio.fail_after(5):
            await started.wait()
        group.cancel_scope.cancel()
    assert ([], "not sent") == (desk.line.sent, last(desk)["outcome"])
    assert [RequestNotSentError] == causes


async def test_giving_up_while_names_are_looked_up_is_told_as_not_sent() -> None:
    """A client of the daemon hears that nothing was sent."""
    desk = Desk(names=Slow(seconds=60.0), nonces=Untouched())
    causes: list[Any] = []

    async def act() -> None:
        try:
            await desk.act("place_order", ORDER)
        except anyio.get_cancelled_exc_class() as error:
            causes.append(type(error.__cause__))
            raise

    async with anyio.create_task_group() as group:
        group.start_soon(act)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    assert ([], [RequestNotSentError]) == (desk.line.sent, causes)


async def test_giving_up_what_was_not_written_is_noted_as_not_sent() -> None:
    """The requester knows it, and says it as the cancellation's cause."""

    class Waiting(Line):
        async def request(self, *args: Any, **more: Any) -> Outcome[Any]:
            started.set()
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class() as error:
                error.__cause__ = RequestNotSentError("its caller gave up")
                raise
            raise AssertionError

    started = anyio.Event()
    desk = Desk(line=Waiting())
    async with anyio.create_task_group() as group:
        group.start_soon(desk.act, "place_order", ORDER)
        await started.wait()
        group.cancel_scope.cancel()
    assert ("not sent", "it was given up before it was sent") == (last(desk)["outcome"], last(desk)["words"])


async def test_a_request_that_cannot_be_written_was_not_sent() -> None:
    """The requester raises only for what it did not write."""
    desk = answering(UsageError("it cannot be written"))
    with pytest.raises(UsageError):
        await desk.act("place_order", ORDER)
    assert ("not sent", "it cannot be written") == (last(desk)["outcome"], last(desk)["words"])


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "5", None])
async def test_a_wrong_timeout_is_refused_before_anything_is_signed(timeout: Any) -> None:
    """Nothing was done, so nothing is noted."""
    desk = Desk(nonces=Untouched())
    with pytest.raises(UsageError, match=f"timeout is {timeout!r}; give seconds, more than 0"):
        await desk.act("place_order", ORDER, timeout=timeout)
    assert ([], []) == (desk.line.sent, desk.notes)


@pytest.mark.parametrize("timeout", [float("inf"), 10**400])
async def test_a_deadline_that_never_comes_is_one(timeout: Any) -> None:
    """Whoever wants to wait for ever may."""
    desk = Desk()
    assert Answered(DEFAULT) == await desk.act("place_order", ORDER, timeout=timeout)


@define
class Slow(Names):
    """Names that take their time."""

    seconds: float = 0.0

    async def asset(self, name: str | int) -> Asset:
        await anyio.sleep(self.seconds)
        return await Names.asset(self, name)


async def test_one_deadline_holds_for_the_universe_and_the_sending() -> None:
    """What the loading took is not given a second time."""
    desk = Desk(names=Slow(seconds=0.2))
    await desk.act("place_order", ORDER, timeout=5.0)
    (left,) = desk.line.timeouts
    assert 0 < left <= 4.8


async def test_a_deadline_that_passes_while_the_universe_is_loaded_means_not_sent() -> None:
    """In time, noted, and nothing was signed."""
    desk = Desk(names=Slow(seconds=60.0), nonces=Untouched())
    with (
        anyio.fail_after(5),
        pytest.raises(RequestNotSentError, match=r"0\.05 s were over, and the universe"),
    ):
        await desk.act("order", ORDER, timeout=0.05, vault_address=VAULT)
    (note,) = desk.notes
    assert [] == desk.line.sent
    assert {
        "action": "order",
        "method": "place_order",
        "assets": ["BTC"],
        "account": None,
        "vault": VAULT,
        "nonce": None,
        "outcome": "not sent",
        "words": note.detail["words"],
    } == note.detail
    assert "0.05 s were over" in note.detail["words"]


async def test_a_universe_that_cannot_be_loaded_is_noted() -> None:
    """The action was wanted, and was not sent."""

    class Failing(Names):
        async def token(self, name: str) -> Token:
            raise UniverseError("the venue refused meta")

    desk = Desk(names=Failing())
    with pytest.raises(UniverseError):
        await desk.act("send_spot", PARAMS["send_spot"])
    assert ("not sent", "the venue refused meta", ["PURR"]) == (
        last(desk)["outcome"],
        last(desk)["words"],
        last(desk)["assets"],
    )


@pytest.mark.parametrize("name", sorted(CALLS))
async def test_nothing_is_signed_for_a_network_that_nobody_has_named(name: str) -> None:
    """A guess would be good for somebody's withdrawal from the main network; the error says what to write."""
    desk = Desk(mainnet=None, nonces=Untouched())
    with pytest.raises(ConfigurationError) as caught:
        await desk.act(name, PARAMS[name])
    assert 'write network = "testnet" or network = "mainnet" in [venues.hyperliquid]' in str(caught.value)
    assert ([], "not sent", str(caught.value)) == (
        desk.line.sent,
        last(desk)["outcome"],
        last(desk)["words"],
    )
    shown = await desk.desk.preview(name, PARAMS[name])
    assert (None, str(caught.value)) == (shown["network"], shown["forbidden"])
    assert shown["action"].get("hyperliquidChain") is None


async def test_a_note_says_who_what_and_with_what_outcome() -> None:
    """Enough to find the action at the venue."""
    desk = Desk()
    await desk.act("place_order", ORDER, vault_address=VAULT.upper().replace("X", "x"))
    (note,) = desk.notes
    assert ("action", "info", "hyperliquid", "tester") == (note.kind, note.level, note.venue, note.actor)
    assert {
        "action": "order",
        "method": "place_order",
        "assets": ["BTC"],
        "account": ADDRESS,
        "vault": VAULT,
        "nonce": NONCE,
        "outcome": "answered",
        "words": None,
    } == note.detail


@pytest.mark.parametrize(
    ("response", "words"),
    [
        ({"type": "order", "data": {"statuses": [{"error": "too small"}, {"resting": {}}]}}, "too small"),
        ({"type": "cancel", "data": {"statuses": ["success", {"error": "a"}, {"error": "b"}]}}, "a; b"),
        ({"type": "twapOrder", "data": {"status": {"error": "no"}}}, "no"),
        ({"type": "order", "data": {"statuses": ["success"]}}, None),
        ({"type": "createVault", "data": "0x12"}, None),
    ],
)
async def test_a_note_tells_which_parts_the_venue_refused(response: Any, words: str | None) -> None:
    """A batch that is answered may still have failed in part."""
    desk = answering(Answered({"status": "ok", "response": response}))
    assert Answered(response) == await desk.act("place_order", ORDER)
    assert ("answered", words) == (last(desk)["outcome"], last(desk)["words"])


async def test_long_words_of_the_venue_are_cut_in_the_note_only() -> None:
    """A note is a row."""
    desk = answering(Refused("x" * 2000))
    assert Refused("x" * 2000) == await desk.act("place_order", ORDER)
    assert "x" * 500 == last(desk)["words"]


@pytest.mark.parametrize("name", sorted(CALLS))
async def test_no_note_log_or_error_shows_a_secret(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the key nor a signature, whatever happens to an action."""
    caplog.set_level(logging.DEBUG)
    answers: list[Outcome[Any] | BaseException] = [
        Answered({"status": "ok", "response": DEFAULT}),
        Refused("no"),
        Unknown("lost"),
        RequestNotSentError("late"),
    ]
    shown: list[str] = []
    for answer in answers:
        desk = answering(answer)
        try:
            await desk.act(name, PARAMS[name])
        except RequestNotSentError as error:
            shown.append(repr(error))
        shown += [repr(desk.notes), repr(desk.account), repr(desk.desk)]
        signature = desk.line.sent[0]["signature"]
        assert not any(value in text for text in shown for value in (signature["r"], signature["s"]))
    assert not any(secret in text for text in [*shown, caplog.text] for secret in SECRETS)


@pytest.mark.parametrize("name", sorted(CALLS))
async def test_a_forbidden_action_is_noted_and_nothing_else_happens(name: str) -> None:
    """No nonce, no signature, nothing sent."""
    desk = Desk(policy=TradingPolicy(), account=None, nonces=Untouched())
    with pytest.raises(ActionForbiddenError, match="trading = true"):
        await desk.act(name, PARAMS[name])
    assert [] == desk.line.sent
    assert ("forbidden", "warning") == (last(desk)["outcome"], desk.notes[-1].level)


class Untouched(Nonces):
    """Nonces that nobody may take."""

    def __init__(self) -> None:
        super().__init__(None, lambda: NONCE)

    def next(self, signer: str) -> int:
        raise AssertionError("a nonce was taken")


@pytest.mark.parametrize(
    ("name", "params", "error"),
    [
        ("place_order", {**ORDER, "limit_price": "50000.5"}, PrecisionError),
        ("place_order", {**ORDER, "size": "0.000001"}, PrecisionError),
        ("place_order", {**ORDER, "size": 0.1}, ParameterError),
        ("place_order", {**ORDER, "asset": "BTCC"}, UnknownAssetError),
        ("place_order", {**ORDER, "order_type": "MARKET"}, ParameterError),
        ("send_spot", {"asset": "PURRR", "amount": "1", "destination": WHO}, UnknownAssetError),
        ("send_usd", {"amount": "1", "destination": "0x"}, ParameterError),
        ("nothing", {}, UsageError),
    ],
)
async def test_a_wrong_call_fails_before_a_nonce_is_taken(
    name: str, params: Any, error: type[Exception]
) -> None:
    """Nothing was done, so nothing is noted."""
    desk = Desk(nonces=Untouched())
    with pytest.raises(error):
        await desk.act(name, params)
    assert ([], []) == (desk.line.sent, desk.notes)


async def test_without_a_key_the_error_names_the_three_places() -> None:
    """A file, the environment, a systemd credential."""
    desk = Desk(account=None)
    with pytest.raises(ConfigurationError) as caught:
        await desk.act("place_order", ORDER)
    for place in ("0600", "WSMGR_HYPERLIQUID_SECRET_KEY", "wsmgr.hyperliquid.secret_key"):
        assert place in str(caught.value)
    assert ("not sent", []) == (last(desk)["outcome"], desk.line.sent)


async def test_without_a_nonce_nothing_is_sent() -> None:
    """A clock that is wrong is noted too."""

    class Broken(Untouched):
        def next(self, signer: str) -> int:
            raise NonceError("the clock is wrong")

    desk = Desk(nonces=Broken())
    with pytest.raises(NonceError):
        await desk.act("place_order", ORDER)
    assert ([], "not sent", "the clock is wrong") == (
        desk.line.sent,
        last(desk)["outcome"],
        last(desk)["words"],
    )


async def test_the_universe_is_asked_only_where_an_asset_is_named() -> None:
    """A transfer of USDC needs none."""
    desk = Desk()
    await desk.act("send_usd", PARAMS["send_usd"])
    await desk.act("schedule_cancellation")
    assert 0 == desk.names.asked
    await desk.act("place_orders", {"order_requests": [ORDER, ORDER, {**ORDER, "asset": "ETH"}]})
    assert 2 == desk.names.asked


async def test_nonces_rise_from_call_to_call() -> None:
    """Each is signed with its own, though the clock stands."""
    desk = Desk()
    for _ in range(3):
        await desk.act("send_usd", PARAMS["send_usd"])
    assert [NONCE, NONCE + 1, NONCE + 2] == [payload["nonce"] for payload in desk.line.sent]
    assert [NONCE, NONCE + 1, NONCE + 2] == [payload["action"]["time"] for payload in desk.line.sent]


async def test_another_account_signs_with_its_own_key() -> None:
    """Nonces are per key, and the note says whose action it was."""
    desk = Desk()
    agent = Account.from_key(OTHER_KEY, address=WHO)
    await desk.act("place_order", ORDER)
    await desk.act("place_order", ORDER, account=agent)
    first, second = desk.line.sent
    assert first["nonce"] == second["nonce"] == NONCE
    assert first["signature"] != second["signature"]
    assert [ADDRESS, WHO] == [note.detail["account"] for note in desk.notes]


async def test_an_accounts_vault_goes_beside_what_it_trades() -> None:
    """And a vault that is given for one call goes before it."""
    desk = Desk(account=Account.from_key(KEY, vault_address=VAULT))
    await desk.act("place_order", ORDER)
    await desk.act("place_order", ORDER, vault_address=WHO)
    assert [VAULT, WHO] == [payload["vaultAddress"] for payload in desk.line.sent]


async def test_a_transfer_between_balances_names_the_sub_account_inside() -> None:
    """As the official SDK does, and nothing beside it."""
    desk = Desk()
    await desk.act("transfer_usd", PARAMS["transfer_usd"], vault_address=VAULT)
    (payload,) = desk.line.sent
    assert (f"1 subaccount:{VAULT}", None) == (payload["action"]["amount"], payload["vaultAddress"])


FOR_VAULTS = {
    *("place_order", "place_orders", "modify_order", "modify_orders", "cancel_order", "cancel_orders"),
    *("cancel_order_by_id", "cancel_orders_by_id", "schedule_cancellation", "update_leverage", "place_twap"),
    *("update_margin", "adjust_margin", "cancel_twap", "reserve_weight", "transfer_usd"),
}


@pytest.mark.parametrize("name", sorted(set(CALLS) - FOR_VAULTS))
async def test_what_is_the_accounts_own_is_not_done_for_a_vault(name: str) -> None:
    """It would be done for the account instead, and nobody would be told."""
    for desk, options in (
        (Desk(), {"vault_address": VAULT}),
        (Desk(account=Account.from_key(KEY, vault_address=VAULT)), {}),
    ):
        with pytest.raises(ParameterError, match=f"^{name}: .*cannot be done for the vault"):
            await desk.act(name, PARAMS[name], **options)
        assert [] == desk.line.sent


async def test_an_expiry_is_signed_and_sent_with_what_an_agent_signs_only() -> None:
    """The venue takes none with what the account itself signs."""
    desk = Desk()
    await desk.act("place_order", ORDER, expires_after="2026-06-21T00:00:00Z")
    assert 1_782_000_000_000 == desk.line.sent[0]["expiresAfter"]
    with pytest.raises(ParameterError, match="expires_after"):
        await desk.act("send_usd", PARAMS["send_usd"], expires_after=1_782_000_000_000)


@pytest.mark.parametrize("name", sorted(CALLS))
async def test_a_preview_shows_what_would_be_sent_and_sends_nothing(name: str) -> None:
    """No nonce, no key, no note; the action is the one that is sent afterwards, but for the nonce."""
    desk = Desk(policy=TradingPolicy(), account=None, nonces=Untouched())
    shown = await desk.desk.preview(name, PARAMS[name])
    assert ([], []) == (desk.line.sent, desk.notes)
    sending = Desk()
    await sending.act(name, PARAMS[name])
    (payload,) = sending.line.sent
    sent = {key: None if value == NONCE else value for key, value in payload["action"].items()}
    assert list(payload["action"]) == list(shown["action"])
    assert sent == shown["action"]
    assert "signature" not in shown
    assert "trading = true" in shown["forbidden"]


async def test_a_preview_says_how_it_would_be_signed_and_what_it_is_worth() -> None:
    """What a person is asked to confirm."""
    desk = Desk(mainnet=False)
    order = await desk.desk.preview(
        "order", {**ORDER, "coin": ORDER["asset"], "asset": None}, vault_address=VAULT
    )
    assert {
        "method": "place_order",
        "action": {
            "type": "order",
            "orders": [
                {"a": 0, "b": True, "p": "50000", "s": "0.1", "r": False, "t": {"limit": {"tif": "Gtc"}}}
            ],
            "grouping": "na",
        },
        "vaultAddress": VAULT,
        "expiresAfter": None,
        "signed_as": "action",
        "account": Account.from_key(KEY).key.address,
        "network": "testnet",
        "transfer": False,
        "assets": [{"id": 0, "name": "BTC", "coin": "BTC"}],
        "notional": "5000",
        "forbidden": None,
    } == order
    sent = await desk.desk.preview("usdSend", PARAMS["send_usd"])
    assert ("user", True, None, "Testnet") == (
        sent["signed_as"],
        sent["transfer"],
        sent["notional"],
        sent["action"]["hyperliquidChain"],
    )


async def test_a_preview_and_a_note_tell_assets_apart_that_have_one_name() -> None:
    """By number and by the wire's name, each once: people's names are not unique."""
    desk = Desk()
    orders = [{**ORDER, "asset": asset, "size": "1"} for asset in ("HYPE/USDC", "BTC", "@107", 10107)]
    params = {"order_requests": orders}
    assert [
        {"id": 10107, "name": "HYPE/USDC", "coin": "@107"},
        {"id": 0, "name": "BTC", "coin": "BTC"},
    ] == (await desk.desk.preview("place_orders", params))["assets"]
    await desk.act("place_orders", params)
    assert ["HYPE/USDC (@107)", "BTC"] == last(desk)["assets"]
    await desk.act("send_spot", PARAMS["send_spot"])
    assert ["PURR (PURR:0xc1fb593aeffbeb02f85e0308e9956a90)"] == last(desk)["assets"]
    assert [] == (await desk.desk.preview("send_usd", PARAMS["send_usd"]))["assets"]


async def test_max_notional_is_asked_before_anything_is_signed() -> None:
    """An order that is worth too much takes no nonce."""
    desk = Desk(policy=TradingPolicy(trading=True, max_notional=Decimal(100)), nonces=Untouched())
    with pytest.raises(ActionForbiddenError, match="max_notional"):
        await desk.act("place_order", ORDER)


def test_an_account_shows_its_addresses_and_never_its_key() -> None:
    """In no repr, and a key that is a text is refused."""
    account = Account.from_key(KEY, address=WHO.upper().replace("X", "x"), vault_address=VAULT)
    assert KEY[2:] not in repr(account)
    assert (WHO, VAULT) == (account.address, account.vault_address)
    with pytest.raises(ParameterError) as caught:
        Account(key=KEY)  # type: ignore[arg-type]
    assert KEY[2:] not in str(caught.value)
    with pytest.raises(ParameterError, match="not an address"):
        Account(key=SecretKey.parse(KEY), vault_address="0x12")


@pytest.mark.parametrize(
    ("options", "acting"),
    [({}, ADDRESS), ({"address": WHO}, WHO), ({"address": WHO, "vault_address": VAULT}, VAULT)],
)
def test_an_account_says_whose_balance_changes(options: dict[str, str], acting: str) -> None:
    """The vault's, else the account's, else the key's own."""
    assert acting == Account.from_key(KEY, **options).acting

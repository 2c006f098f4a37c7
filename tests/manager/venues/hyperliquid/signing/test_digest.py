"""What can be signed and what not, how a signature is written, and who signed."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import uuid
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.venues.hyperliquid.signing import (
    USER_ACTIONS,
    SecretKey,
    Signature,
    action_digest,
    recover_action_signer,
    recover_user_action_signer,
    sign_action,
    sign_user_action,
    user_action_digest,
)

KEY = SecretKey.parse("0123456789" * 6 + "0123")
ADDRESS = "0x5e9ee1089755c3435139848e47e6635505d5a13a"
NOOP = {"type": "noop"}
SEND = {
    "type": "usdSend",
    "hyperliquidChain": "Testnet",
    "signatureChainId": "0x66eee",
    "destination": ADDRESS,
    "amount": "1",
    "time": 1687816341423,
}
KINDS: dict[str, Any] = {"string": "text", "bool": True, "uint64": 7, "address": ADDRESS}


class Tif(StrEnum):
    GTC = "Gtc"


def nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(depth):
        found = {"inner": found}
    return found


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        1.0,
        float("nan"),
        Decimal("1.5"),
        b"bytes",
        {1: "a"},
        {None: "a"},
        {1, 2},
        dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
        uuid.UUID(int=1),
        object(),
        SecretKey,
        1 << 64,
        -(1 << 63) - 1,
        "\ud800",
        {"\ud800": 1},
        nested(100_000),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize(
    "wrap", [lambda value: value, lambda value: [{"a": (value,)}]], ids=["plain", "deep"]
)
def test_action_that_json_and_messagepack_would_write_differently_is_refused(value: Any, wrap: Any) -> None:
    """A signature of something else than is sent moves no funds, and costs a nonce. Nobody can have signed it either."""
    action = {"type": "order", "value": wrap(value)}
    with pytest.raises(ParameterError, match="action"):
        action_digest(action, nonce=1, mainnet=True)
    signature = sign_action(KEY, NOOP, nonce=1, mainnet=True)
    assert recover_action_signer(action, signature, nonce=1, mainnet=True) is None


def test_word_of_an_enumeration_is_signed_as_the_text_that_it_is() -> None:
    """JSON writes it so too."""
    assert action_digest({"tif": "Gtc"}, nonce=1, mainnet=True) == action_digest(
        {"tif": Tif.GTC}, nonce=1, mainnet=True
    )


@pytest.mark.parametrize(
    "options",
    [
        {"nonce": -1},
        {"nonce": 1 << 64},
        {"nonce": True},
        {"nonce": "1"},
        {"nonce": 1.0},
        {"nonce": None},
        {"expires_after": -1},
        {"expires_after": 1 << 64},
        {"expires_after": "1"},
        {"vault_address": ""},
        {"vault_address": ADDRESS[2:]},
        {"vault_address": ADDRESS[:-1]},
        {"vault_address": ADDRESS + "\n"},
        {"vault_address": bytes(20)},
    ],
    ids=repr,
)
def test_malformed_nonce_expiry_or_vault_is_refused(options: dict[str, Any]) -> None:
    """The message names which; nobody can have signed it either."""
    arguments = {"nonce": 1, "mainnet": True, **options}
    name = next(iter(options)).replace("vault_address", "vault's address")
    with pytest.raises(ParameterError, match=name):
        action_digest(NOOP, **arguments)
    signature = sign_action(KEY, NOOP, nonce=1, mainnet=True)
    assert recover_action_signer(NOOP, signature, **arguments) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "dummy"},
        {"nonce": 2},
        {"vault_address": ADDRESS},
        {"expires_after": 5},
        {"mainnet": False},
    ],
    ids=repr,
)
def test_everything_that_is_signed_is_signed(changed: dict[str, Any]) -> None:
    """What was signed for one action, nonce, vault, expiry and net tells another signer for another."""
    signature = sign_action(KEY, NOOP, nonce=1, mainnet=True)
    assert KEY.address == recover_action_signer(NOOP, signature, nonce=1, mainnet=True)
    options: dict[str, Any] = {"nonce": 1, "mainnet": True, **changed}
    action = {"type": options.pop("type", "noop")}
    assert recover_action_signer(action, signature, **options) not in {KEY.address, None}


def test_order_of_members_is_signed() -> None:
    """Whoever builds an action keeps its order."""
    assert action_digest({"a": 1, "b": 2}, nonce=1, mainnet=True) != action_digest(
        {"b": 2, "a": 1}, nonce=1, mainnet=True
    )


def wrong_values(kind: str) -> list[object]:
    strange: list[object] = [None, 1.5, b"", [], {}]
    match kind:
        case "string":
            return [*strange, 1, True, "\ud800"]
        case "bool":
            return [*strange, 1, 0, "true"]
        case "uint64":
            return [*strange, -1, 1 << 64, "1", True]
        case _:
            return [*strange, "", "5e9e", ADDRESS[2:], ADDRESS + "0", ADDRESS[:-1] + "g", bytes(20)]


@pytest.mark.parametrize(
    ("action_type", "name", "kind"),
    [(action_type, *field) for action_type, kind in USER_ACTIONS.items() for field in kind.fields],
)
def test_field_of_a_users_action_that_is_missing_or_malformed_is_refused(
    action_type: str, name: str, kind: str
) -> None:
    """Every field of every action: the message names it, and nobody can have signed it."""
    way = USER_ACTIONS[action_type]
    arguments: dict[str, Any] = {"primary_type": way.primary_type, "fields": way.fields}
    whole = {"type": action_type, "signatureChainId": "0x66eee"} | {
        field: KINDS[field_kind] for field, field_kind in way.fields
    }
    signature = sign_user_action(KEY, whole, **arguments)
    assert KEY.address == recover_user_action_signer(whole, signature, **arguments)
    broken = [whole | {name: value} for value in wrong_values(kind)]
    broken.append({field: value for field, value in whole.items() if field != name})
    for action in broken:
        if name == "agentName" and action.get(name) is None:
            continue  # an agent without a name
        with pytest.raises(ParameterError, match=f"{way.primary_type} needs '{name}'"):
            user_action_digest(action, **arguments)
        assert recover_user_action_signer(action, signature, **arguments) is None


@pytest.mark.parametrize(
    "chain", [None, "", "0x", "66eee", "0xg", 421614, "0x" + "1" * 65, "-0x1", "0x1_0", "0x1\n"]
)
def test_malformed_chain_of_a_users_action_is_refused(chain: object) -> None:
    """It is the wallet's, in hexadecimal."""
    way = USER_ACTIONS["usdSend"]
    with pytest.raises(ParameterError, match="signatureChainId"):
        user_action_digest(
            SEND | {"signatureChainId": chain}, primary_type=way.primary_type, fields=way.fields
        )


def test_field_of_an_unknown_type_is_refused() -> None:
    """What cannot be encoded is not left out; 32 bytes are 32 bytes."""
    with pytest.raises(ParameterError, match="is no int8"):
        user_action_digest(SEND, primary_type="T", fields=(("time", "int8"),))
    for value in (bytes(31), bytes(33), "0x" + "00" * 32):
        with pytest.raises(ParameterError, match="is no bytes32"):
            user_action_digest(SEND | {"hash": value}, primary_type="T", fields=(("hash", "bytes32"),))


@pytest.mark.parametrize(
    "changed",
    [{"hyperliquidChain": "Mainnet"}, {"signatureChainId": "0xa4b1"}, {"amount": "2"}],
    ids=repr,
)
def test_user_signs_the_net_the_chain_and_every_field(changed: dict[str, Any]) -> None:
    """What was signed for one tells another signer for another; a member that is no field is not signed."""
    way = USER_ACTIONS["usdSend"]
    arguments: dict[str, Any] = {"primary_type": way.primary_type, "fields": way.fields}
    signature = sign_user_action(KEY, SEND, **arguments)
    assert KEY.address == recover_user_action_signer(SEND | {"other": 1}, signature, **arguments)
    assert recover_user_action_signer(SEND | changed, signature, **arguments) not in {KEY.address, None}


def test_signature_is_written_without_leading_zeros_and_read_again() -> None:
    """As the official SDK writes numbers; read with leading zeros too."""
    signature = Signature(r=0xAB, s=1 << 255, v=28)
    wire = signature.wire()
    assert {"r": "0xab", "s": "0x8" + "0" * 63, "v": 28} == wire
    assert signature == Signature.parse(wire)
    assert signature == Signature.parse(wire | {"r": "0x" + "AB".rjust(64, "0")})


@pytest.mark.parametrize(
    "changed",
    [
        {"r": None},
        {"r": 171},
        {"r": "ab"},
        {"r": "0x"},
        {"r": "0x0"},
        {"r": "0xg"},
        {"r": "0x" + "1" * 65},
        {"r": "-0x1"},
        {"r": "0x1\n"},
        {"s": "0x00"},
        {"s": ["0x1"]},
        {"v": 0},
        {"v": 26},
        {"v": 29},
        {"v": True},
        {"v": "27"},
        {"v": 27.0},
        {"v": None},
    ],
    ids=repr,
)
def test_malformed_signature_is_refused(changed: dict[str, Any]) -> None:
    """The message names the number; a missing one is refused too."""
    whole = {"r": "0x1", "s": "0x1", "v": 27}
    (name,) = changed
    with pytest.raises(ParameterError, match=f"signature's {name} is"):
        Signature.parse(whole | changed)
    with pytest.raises(ParameterError, match=f"signature's {name} is"):
        Signature.parse({key: value for key, value in whole.items() if key != name})


@pytest.mark.parametrize(
    "signature",
    [
        Signature(r=(1 << 256) - 1, s=1, v=27),
        Signature(r=1, s=(1 << 256) - 1, v=27),
        Signature(r=5, s=1, v=27),
    ],
    ids=["r above the order", "s above the order", "r of no point"],
)
def test_numbers_that_no_key_can_have_made_tell_no_signer(signature: Signature) -> None:
    """None, not an error: a peer may send anything."""
    assert recover_action_signer(NOOP, signature, nonce=1, mainnet=True) is None


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


def test_importing_and_reading_a_key_needs_nothing_of_the_extra() -> None:
    """Who only reads market data does not pay for it."""
    code = (
        "import sys\n"
        "from wsmgr.manager.venues.hyperliquid.signing import *\n"
        "load_secret('x', environ={'WSMGR_X_SECRET_KEY': '11' * 32}), Nonces(None, lambda: 1).next('0x')\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('coincurve', 'Crypto')])\n"
    )
    assert "[]\n" == run(code)


@pytest.mark.parametrize("missing", ["coincurve", "Crypto"])
@pytest.mark.parametrize(
    "call",
    [
        "key.address",
        "key.sign(bytes(32))",
        "sign_action(key, {}, nonce=1, mainnet=True)",
        "recover_action_signer({}, Signature(r=1, s=1, v=27), nonce=1, mainnet=True)",
    ],
)
def test_signing_without_the_extra_says_what_to_install(missing: str, call: str) -> None:
    """A usage error with the command, not an ImportError."""
    code = (
        "import sys\n"
        f"sys.modules['{missing}'] = None\n"
        "from wsmgr.manager.model.errors import ConfigurationError\n"
        "from wsmgr.manager.venues.hyperliquid.signing import *\n"
        "key = SecretKey.parse('11' * 32)\n"
        "try:\n"
        f"    {call}\n"
        "except ConfigurationError as error:\n"
        "    print(error)\n"
    )
    assert "signing needs more: pip install 'wsmgr[trading]'\n" == run(code)

"""Signatures against those of the official Python SDK (and of hl-sdk, for what only it signs), byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import hl.network
import hl.signer
import hyperliquid.utils.signing as sdk  # type: ignore[import-untyped]
import pytest
from eth_account import Account
from hyperliquid.exchange import Exchange  # type: ignore[import-untyped]
from hyperliquid.utils import constants
from hyperliquid.utils.types import Cloid  # type: ignore[import-untyped]
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wsmgr.manager.venues.hyperliquid.signing import (
    USER_ACTIONS,
    SecretKey,
    Signature,
    action_hash,
    recover_action_signer,
    recover_user_action_signer,
    sign_action,
    sign_user_action,
)
from wsmgr.manager.venues.hyperliquid.signing.primitives import ORDER

if TYPE_CHECKING:
    from collections.abc import Callable

    from eth_account.signers.local import LocalAccount

ADDRESS = "0x5e9ee1089755c3435139848e47e6635505d5a13a"
VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"
KNOWN_KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"

keys = st.integers(1, ORDER - 1).map(lambda number: f"{number:064x}")
nonces = st.integers(0, 2**64 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
nets = st.booleans()
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | texts,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(texts, inner, max_size=20),
    max_leaves=40,
)
actions = st.dictionaries(texts, plain, max_size=20)
signed_values = {
    "string": texts,
    "bool": st.booleans(),
    "uint64": nonces,
    "address": addresses.map(lambda text: text.upper().replace("X", "x", 1)) | addresses,
}


def values_of(action_type: str) -> st.SearchStrategy[dict[str, Any]]:
    """Generated actions of a type that users sign, without the chain's names."""
    fields = USER_ACTIONS[action_type].fields[1:]
    return st.fixed_dictionaries(
        {"type": st.just(action_type)} | {name: signed_values[kind] for name, kind in fields}
    )


def wallet_of(key: str) -> LocalAccount:
    return cast("LocalAccount", Account.from_key(key))


def ours(key: str, action: dict[str, Any]) -> dict[str, str | int]:
    """Our signature of an action that users sign."""
    kind = USER_ACTIONS[action["type"]]
    return sign_user_action(
        SecretKey.parse(key), action, primary_type=kind.primary_type, fields=kind.fields
    ).wire()


@given(keys, actions, nonces, st.none() | addresses, st.none() | nonces, nets)
@example(f"{1:064x}", {"type": "dummy"}, 0, None, None, True)
@example(f"{ORDER - 1:064x}", {"type": "dummy"}, 2**64 - 1, VAULT, 0, False)
@settings(deadline=None)
def test_signature_of_any_action_is_that_of_the_official_sdk(
    key: str, action: dict[str, Any], nonce: int, vault: str | None, expiry: int | None, mainnet: bool
) -> None:
    """For every key, action, nonce, vault, expiry and net; and it tells its signer."""
    expected = sdk.sign_l1_action(wallet_of(key), action, vault, nonce, expiry, mainnet)
    secret = SecretKey.parse(key)
    signature = sign_action(
        secret, action, nonce=nonce, vault_address=vault, expires_after=expiry, mainnet=mainnet
    )
    assert expected == signature.wire()
    assert signature == Signature.parse(expected)
    assert secret.address == recover_action_signer(
        action, signature, nonce=nonce, vault_address=vault, expires_after=expiry, mainnet=mainnet
    )


@pytest.mark.parametrize(
    "value",
    [
        *(number for edge in (7, 8, 15, 16, 31, 32) for number in (edge, -edge, -edge - 1)),
        *(
            sign * (1 << bits) + step
            for bits in (7, 8, 15, 16, 31, 32)
            for sign in (1, -1)
            for step in (-1, 0, 1)
        ),
        *((1 << 63) + step for step in (-1, 0)),
        -(1 << 63),
        (1 << 64) - 1,
        *("a" * size for size in (0, 31, 32, 255, 256, 65535, 65536)),
        *([0] * size for size in (0, 15, 16, 65535, 65536)),
        *({str(key): None for key in range(size)} for size in (0, 15, 16, 65536)),
        (1, ("2", None)),
        "\N{GREEK SMALL LETTER MU}\N{ROCKET}\0",
    ],
    ids=lambda value: (
        f"{type(value).__name__}-{value!r:.12}-{len(value) if hasattr(value, '__len__') else ''}"
    ),
)
def test_hash_of_an_action_at_the_edges_of_its_encoding_is_that_of_the_official_sdk(value: object) -> None:
    """MessagePack writes a value by its size; every size is written as the SDK writes it."""
    action = {"type": "dummy", "value": value}
    assert sdk.action_hash(action, None, 7, None) == action_hash(action, nonce=7)


OFFICIAL: dict[str, Callable[[LocalAccount, dict[str, Any], bool], dict[str, Any]]] = {
    "usdSend": sdk.sign_usd_transfer_action,
    "spotSend": sdk.sign_spot_transfer_action,
    "withdraw3": sdk.sign_withdraw_from_bridge_action,
    "usdClassTransfer": sdk.sign_usd_class_transfer_action,
    "sendAsset": sdk.sign_send_asset_action,
    "userDexAbstraction": sdk.sign_user_dex_abstraction_action,
    "userSetAbstraction": sdk.sign_user_set_abstraction_action,
    "convertToMultiSigUser": sdk.sign_convert_to_multi_sig_user_action,
    "approveAgent": sdk.sign_agent,
    "approveBuilderFee": sdk.sign_approve_builder_fee,
    "tokenDelegate": sdk.sign_token_delegate_action,
}


def test_every_way_of_signing_of_the_official_sdk_is_compared() -> None:
    """A way that a newer SDK adds is noticed here."""
    others = {
        "sign_inner",
        "sign_l1_action",
        "sign_user_signed_action",
        "sign_multi_sig_action",
        "sign_multi_sig_l1_action_payload",
        "sign_multi_sig_user_signed_action_payload",
    }
    found = {name for name in vars(sdk) if name.startswith("sign_")}
    assert found == others | {function.__name__ for function in OFFICIAL.values()}


@pytest.mark.parametrize("action_type", OFFICIAL)
@given(data=st.data(), key=keys, mainnet=nets)
@settings(deadline=None, max_examples=30)
def test_signature_by_a_user_is_that_of_the_official_sdk(
    action_type: str, data: st.DataObject, key: str, mainnet: bool
) -> None:
    """For every action that the SDK signs so; and it tells its signer."""
    action = data.draw(values_of(action_type))
    expected = OFFICIAL[action_type](wallet_of(key), action, mainnet)  # completes the action
    assert ("Mainnet" if mainnet else "Testnet") == action["hyperliquidChain"]
    assert expected == ours(key, action)
    kind = USER_ACTIONS[action_type]
    assert SecretKey.parse(key).address == recover_user_action_signer(
        action, Signature.parse(expected), primary_type=kind.primary_type, fields=kind.fields
    )


@pytest.mark.parametrize("action_type", hl.signer.ACTION_TO_MESSAGE_TYPE)
@given(data=st.data(), key=keys, mainnet=nets)
@settings(deadline=None, max_examples=30)
def test_signature_by_a_user_is_that_of_hl_sdk(
    action_type: str, data: st.DataObject, key: str, mainnet: bool
) -> None:
    """hl-sdk signs for another chain on the mainnet, and signs deposits into staking and out of it."""
    network = hl.network.MAINNET if mainnet else hl.network.TESTNET
    action = data.draw(values_of(action_type)) | {
        "hyperliquidChain": network["name"],
        "signatureChainId": network["signature_chain_id"],
    }
    way = hl.signer.ACTION_TO_MESSAGE_TYPE[action_type]
    expected = hl.signer.sign_user_action(wallet_of(key), way, action, network)  # type: ignore[arg-type]  # made up
    assert dict(expected) == ours(key, action)


@pytest.mark.parametrize("action_type", ["PerpDexClassTransfer", "perpDexClassTransfer"])
@given(data=st.data(), key=keys, mainnet=nets)
@settings(deadline=None, max_examples=30)
def test_signature_of_a_transfer_between_dexes_is_what_the_official_way_makes_of_its_fields(
    action_type: str, data: st.DataObject, key: str, mainnet: bool
) -> None:
    """No SDK that is installed signs it so; the structure is nktkas/hyperliquid's."""
    action = data.draw(values_of(action_type))
    fields = {
        "hyperliquidChain": "string",
        "dex": "string",
        "token": "string",
        "amount": "string",
        "toPerp": "bool",
        "nonce": "uint64",
    }
    types = [{"name": name, "type": kind} for name, kind in fields.items()]
    expected = sdk.sign_user_signed_action(
        wallet_of(key), action, types, "HyperliquidTransaction:PerpDexClassTransfer", mainnet
    )
    assert expected == ours(key, action)


@given(keys, actions, nonces, st.none() | addresses, st.none() | nonces, nets)
@settings(deadline=None, max_examples=50)
def test_signatures_for_several_signers_are_those_of_the_official_sdk(
    key: str, action: dict[str, Any], nonce: int, vault: str | None, expiry: int | None, mainnet: bool
) -> None:
    """The parts of an action that several sign: an agent's part, a user's part, and what sends them."""
    secret = SecretKey.parse(key)
    wallet = wallet_of(key)
    expected = sdk.sign_multi_sig_l1_action_payload(
        wallet, action, mainnet, vault, nonce, expiry, ADDRESS, VAULT
    )
    inner = sign_action(
        secret,
        [ADDRESS, VAULT, action],
        nonce=nonce,
        vault_address=vault,
        expires_after=expiry,
        mainnet=mainnet,
    )
    assert expected == inner.wire()

    expected = sdk.sign_multi_sig_action(
        wallet, {**action, "type": "multiSig"}, mainnet, vault, nonce, expiry
    )
    untyped = {name: value for name, value in action.items() if name != "type"}
    envelope = {
        "signatureChainId": "0x66eee",
        "hyperliquidChain": "Mainnet" if mainnet else "Testnet",
        "multiSigActionHash": action_hash(untyped, nonce=nonce, vault_address=vault, expires_after=expiry),
        "nonce": nonce,
    }
    fields = (("hyperliquidChain", "string"), ("multiSigActionHash", "bytes32"), ("nonce", "uint64"))
    outer = sign_user_action(
        secret, envelope, primary_type="HyperliquidTransaction:SendMultiSig", fields=fields
    )
    assert expected == outer.wire()


@given(keys, values_of("usdSend"), nets)
@settings(deadline=None, max_examples=30)
def test_signature_of_a_users_part_of_several_is_that_of_the_official_sdk(
    key: str, action: dict[str, Any], mainnet: bool
) -> None:
    """The two addresses that it adds are fields like the others."""
    way = "HyperliquidTransaction:UsdSend"
    expected = sdk.sign_multi_sig_user_signed_action_payload(
        wallet_of(key), action, mainnet, sdk.USD_SEND_SIGN_TYPES, way, ADDRESS, VAULT
    )
    chain, *fields = USER_ACTIONS["usdSend"].fields
    added = (("payloadMultiSigUser", "address"), ("outerSigner", "address"))
    whole = action | {
        "signatureChainId": "0x66eee",
        "hyperliquidChain": "Mainnet" if mainnet else "Testnet",
        "payloadMultiSigUser": ADDRESS,
        "outerSigner": VAULT,
    }
    signature = sign_user_action(
        SecretKey.parse(key), whole, primary_type=way, fields=(chain, *added, *fields)
    )
    assert expected == signature.wire()


def poster(key: str, url: str, expires_after: int | None) -> tuple[Any, list[dict[str, Any]]]:
    """The official SDK's client, and what it would have posted."""
    posted: list[dict[str, Any]] = []
    meta: Any = {"universe": [{"name": "BTC", "szDecimals": 5}, {"name": "ETH", "szDecimals": 4}]}
    client: Any = Exchange(wallet_of(key), url, meta=meta, spot_meta={"universe": [], "tokens": []})
    client.set_expires_after(expires_after)

    def post(_: str, payload: dict[str, Any]) -> dict[str, str]:
        posted.append(payload)
        return {"status": "ok"}

    client.post = post
    return client, posted


CLOID = Cloid.from_str("0x00000000000000000000000000000001")
LIMIT = {"limit": {"tif": "Gtc"}}
TRIGGER = {"trigger": {"triggerPx": 103.5, "isMarket": True, "tpsl": "sl"}}
CALLS: dict[str, tuple[Any, ...]] = {
    "order": ("ETH", True, 0.0147, 1670.1, LIMIT, False, CLOID, {"b": ADDRESS, "f": 10}),
    "modify_order": (88383, "ETH", False, 100, 100, TRIGGER, True),
    "cancel": ("BTC", 2**40),
    "cancel_by_cloid": ("BTC", CLOID),
    "schedule_cancel": (1700000000000,),
    "update_leverage": (21, "ETH", False),
    "update_isolated_margin": (1.5, "ETH"),
    "set_referrer": ("ASDFASDF",),
    "create_sub_account": ("example",),
    "usd_class_transfer": (1.23, True),
    "send_asset": (ADDRESS, "", "test", "USDC:0xeb62eee3685fc4c43992febcd9e75443", 1.5),
    "sub_account_transfer": (ADDRESS, True, 10),
    "sub_account_spot_transfer": (ADDRESS, False, "PURR:0xc4bf3f870c0e9465323c0b6ed28096c2", 1.5),
    "vault_usd_transfer": (VAULT, True, 5_000_000),
    "usd_transfer": (1.5, ADDRESS),
    "spot_transfer": (1.5, ADDRESS, "PURR:0xc4bf3f870c0e9465323c0b6ed28096c2"),
    "token_delegate": (ADDRESS, 100_000_000, True),
    "withdraw_from_bridge": (2.5, ADDRESS),
    "approve_agent": ("name",),
    "approve_builder_fee": (ADDRESS, "0.001%"),
    "convert_to_multi_sig_user": ([VAULT, ADDRESS], 2),
    "spot_deploy_register_token": ("TEST0", 2, 8, 1000000000000, "Test token example"),
    "spot_deploy_user_genesis": (7, [(ADDRESS, "100000000000000")], [(1, "100000000000000")]),
    "spot_deploy_enable_freeze_privilege": (7,),
    "spot_deploy_freeze_user": (7, ADDRESS, True),
    "spot_deploy_revoke_freeze_privilege": (7,),
    "spot_deploy_enable_quote_token": (7,),
    "spot_deploy_genesis": (7, "300000000000000", True),
    "spot_deploy_register_spot": (7, 0),
    "spot_deploy_register_hyperliquidity": (107, 2.0, 4.0, 100, 3),
    "spot_deploy_set_deployer_trading_fee_share": (7, "100%"),
    "perp_deploy_register_asset": ("test", None, "test:COIN", 2, "10.0", 10, False, None),
    "perp_deploy_set_oracle": ("test", {"test:A": "1.0"}, [{"test:A": "1.1"}], {"test:A": "0.9"}),
    "c_signer_unjail_self": (),
    "c_signer_jail_self": (),
    "c_validator_register": ("1.2.3.4", "name", "words", True, 5, ADDRESS, False, 100000),
    "c_validator_change_profile": (None, None, "words", True, None, None, None),
    "c_validator_unregister": (),
    "use_big_blocks": (True,),
    "agent_enable_dex_abstraction": (),
    "agent_set_abstraction": ("u",),
    "user_dex_abstraction": (ADDRESS, True),
    "user_set_abstraction": (ADDRESS, "unifiedAccount"),
    "noop": (1700000000000,),
    "gossip_priority_bid": (1, "1.2.3.4", 10),
}


def test_every_action_of_the_official_client_is_compared() -> None:
    """One that a newer SDK adds is noticed here. What is left out sends one of the others, or asks the network first."""
    left_out = {
        "post",
        "set_expires_after",
        "bulk_orders",
        "bulk_modify_orders_new",
        "bulk_cancel",
        "bulk_cancel_by_cloid",
        "market_open",
        "market_close",
        "spot_deploy_token_action_inner",
        "c_signer_inner",
        "multi_sig",
    }
    offered = {name for name in dir(Exchange) if callable(getattr(Exchange, name)) and name[0] != "_"}
    assert offered - left_out == set(CALLS)


@pytest.mark.parametrize("url", [constants.MAINNET_API_URL, constants.TESTNET_API_URL])
@pytest.mark.parametrize("name", CALLS)
def test_signature_is_that_under_what_the_official_client_posts(name: str, url: str) -> None:
    """Every action of its client, as it posts it, on both nets; and an agent's expires."""
    client, posted = poster(KNOWN_KEY, url, None)
    getattr(client, name)(*CALLS[name])
    by_agent = posted[0]["action"]["type"] not in USER_ACTIONS
    if by_agent:
        client.set_expires_after(1_900_000_000_000)
        getattr(client, name)(*CALLS[name])
    assert 1 + by_agent == len(posted)
    for payload in posted:
        action = payload["action"]
        if by_agent:
            signature = sign_action(
                SecretKey.parse(KNOWN_KEY),
                action,
                nonce=payload["nonce"],
                expires_after=payload["expiresAfter"],
                mainnet=url == constants.MAINNET_API_URL,
            ).wire()
        else:
            signature = ours(KNOWN_KEY, action)
        assert payload["signature"] == signature


def test_agent_without_a_name_is_signed_with_an_empty_one() -> None:
    """The official client signs an empty name and leaves it away; hl-sdk sends a null."""
    client, posted = poster(KNOWN_KEY, constants.TESTNET_API_URL, None)
    client.approve_agent()
    (payload,) = posted
    assert "agentName" not in payload["action"]
    assert payload["signature"] == ours(KNOWN_KEY, payload["action"])
    assert payload["signature"] == ours(KNOWN_KEY, {**payload["action"], "agentName": None})


ORDER_OF_100 = {"a": 1, "b": True, "p": "100", "s": "100", "r": False, "t": {"limit": {"tif": "Gtc"}}}


@pytest.mark.parametrize(
    ("action", "vault", "mainnet", "r", "s", "v"),
    [
        (
            {"type": "dummy", "num": 100000000000},
            None,
            True,
            "0x53749d5b30552aeb2fca34b530185976545bb22d0b3ce6f62e31be961a59298",
            "0x755c40ba9bf05223521753995abb2f73ab3229be8ec921f350cb447e384d8ed8",
            27,
        ),
        (
            {"type": "dummy", "num": 100000000000},
            VAULT,
            True,
            "0x3c548db75e479f8012acf3000ca3a6b05606bc2ec0c29c50c515066a326239",
            "0x4d402be7396ce74fbba3795769cda45aec00dc3125a984f2a9f23177b190da2c",
            28,
        ),
        (
            {"type": "order", "orders": [ORDER_OF_100], "grouping": "na"},
            None,
            False,
            "0x82b2ba28e76b3d761093aaded1b1cdad4960b3af30212b343fb2e6cdfa4e3d54",
            "0x6b53878fc99d26047f4d7e8c90eb98955a109f44209163f52d8dc4278cbbd9f5",
            27,
        ),
        (
            {"type": "createSubAccount", "name": "example"},
            None,
            True,
            "0x51096fe3239421d16b671e192f574ae24ae14329099b6db28e479b86cdd6caa7",
            "0xb71f7d293af92d3772572afb8b102d167a7cef7473388286bc01f52a5c5b423",
            27,
        ),
    ],
    ids=["r with a leading zero", "vault", "order", "s with a leading zero"],
)
def test_signature_is_the_one_written_down_in_the_official_sdks_tests(
    action: dict[str, Any], vault: str | None, mainnet: bool, r: str, s: str, v: int
) -> None:
    """Vectors of hyperliquid-python-sdk's tests/signing_test.py: a fault that the SDK shared would show."""
    key = SecretKey.parse(KNOWN_KEY)
    signature = sign_action(key, action, nonce=0, vault_address=vault, mainnet=mainnet)
    assert {"r": r, "s": s, "v": v} == signature.wire()


def test_signature_by_a_user_is_the_one_written_down_in_the_official_sdks_tests() -> None:
    """Vectors of hyperliquid-python-sdk's tests/signing_test.py."""
    action = {"destination": ADDRESS, "amount": "1", "time": 1687816341423}
    action |= {"hyperliquidChain": "Testnet", "signatureChainId": "0x66eee"}
    assert {
        "r": "0x637b37dd731507cdd24f46532ca8ba6eec616952c56218baeff04144e4a77073",
        "s": "0x11a6a24900e6e314136d2592e2f8d502cd89b7c15b198e1bee043c9589f9fad7",
        "v": 27,
    } == ours(KNOWN_KEY, {**action, "type": "usdSend"})
    assert {
        "r": "0x8363524c799e90ce9bc41022f7c39b4e9bdba786e5f9c72b20e43e1462c37cf9",
        "s": "0x58b1411a775938b83e29182e8ef74975f9054c8e97ebf5ec2dc8d51bfc893881",
        "v": 28,
    } == ours(KNOWN_KEY, {**action, "type": "withdraw3"})

"""The facade's signatures say what the catalog says: no type and no parameter is missing, and none is made up."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.subscription_type import ParameterKind
from wsmgr.manager.venues.hyperliquid.catalog import CATALOG
from wsmgr.manager.venues.hyperliquid.subscriptions import METHODS, FeedOptions, Subscriptions, snake_case
from wsmgr.manager.venues.hyperliquid.subscriptions.names import ALIASES

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription_type import Parameter

BESIDE = {"unsubscribe", "unsubscribe_all", "handle"}
TYPE_OF_KIND = {
    ParameterKind.TEXT: "str",
    ParameterKind.INTEGER: "int",
    ParameterKind.FLAG: "bool",
}


def keywords(method: str) -> dict[str, inspect.Parameter]:
    """Return what a method takes by keyword, without what all of them take."""
    found = dict(inspect.signature(getattr(Subscriptions, method)).parameters)
    assert inspect.Parameter.POSITIONAL_OR_KEYWORD is found.pop("self").kind
    assert inspect.Parameter.VAR_KEYWORD is found.pop("options").kind
    queue = found.pop("queue")
    assert (None, "Queue | None") == (queue.default, queue.annotation)
    assert {inspect.Parameter.KEYWORD_ONLY} >= {each.kind for each in found.values()}
    return found


def meant(parameter: Parameter) -> tuple[object, str]:
    """Return the default and the annotation of a parameter."""
    annotation = TYPE_OF_KIND[parameter.kind]
    if parameter.required:
        return inspect.Parameter.empty, annotation
    if parameter.default in {None, ""}:
        return None, f"{annotation} | None"
    return parameter.default, annotation


def test_every_type_that_is_served_has_a_method_and_every_method_a_type() -> None:
    """29 types, under the names that hl-sdk gives them where it has them."""
    methods = {name for name in dir(Subscriptions) if not name.startswith("_")}
    assert 29 == len(METHODS)
    assert {*METHODS, *ALIASES, "web_data2", *BESIDE} == methods


def test_names_are_those_of_hl_sdk() -> None:
    """Whoever comes from there finds every method."""
    import hl

    theirs = {name for name in dir(hl.Subscriptions) if not name.startswith("_")} - {"account", "universe"}
    assert set() == theirs - {name for name in dir(Subscriptions) if not name.startswith("_")}
    assert {"l2_book", "user_non_funding_ledger_updates", "best_bid_offer"} <= theirs


@pytest.mark.parametrize("method", [*METHODS, *ALIASES])
def test_a_method_takes_the_parameters_of_its_type(method: str) -> None:
    """In snake_case, of their kind, with their default; a coin also as an asset, a user as an address or an account."""
    subscription_type = METHODS[ALIASES.get(method, method)]
    found = keywords(method)
    named = {each.name: each for each in subscription_type.parameters}
    if named.pop("coin", None):
        assert (None, "str | int | None") == (found["asset"].default, found.pop("asset").annotation)
        assert (None, "str | None") == (found["coin"].default, found.pop("coin").annotation)
    if named.pop(subscription_type.user or "", None):
        assert (None, "str | None") == (found["address"].default, found.pop("address").annotation)
        assert (None, "HasAddress | None") == (found["account"].default, found.pop("account").annotation)
    assert {snake_case(name): meant(each) for name, each in named.items()} == {
        name: (each.default, each.annotation) for name, each in found.items()
    }


@pytest.mark.parametrize("method", METHODS)
def test_a_method_says_what_its_parameters_are(method: str) -> None:
    """An editor shows it: each parameter of the type's own is described, and each choice is named."""
    words = inspect.getdoc(getattr(Subscriptions, method)) or ""
    assert words.startswith("Stream ")
    for each in METHODS[method].parameters:
        if each.name not in {"coin", "user"}:
            assert f"{snake_case(each.name)}: " in words
            described = words.split(f"{snake_case(each.name)}: ")[1].split("\n    ")[0]
            assert [] == [choice for choice in each.choices if str(choice) not in described]


def test_options_are_those_of_the_manager() -> None:
    """An option that `Manager.subscribe` learns, the facade learns too."""
    parameters = inspect.signature(Manager.subscribe).parameters.values()
    options = {each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}
    assert options - {"venue", "params", "callback", "inbox"} == set(FeedOptions.__annotations__)


def test_names_on_the_wire_come_from_the_catalog() -> None:
    """The one rule that makes a method's name of a type's."""
    assert ["l2_book", "n_sig_figs", "all_dexs_asset_ctxs", "web_data3", "bbo"] == [
        snake_case(name) for name in ("l2Book", "nSigFigs", "allDexsAssetCtxs", "webData3", "bbo")
    ]
    assert {each.name for each in METHODS.values()} == {*CATALOG} - {"webData2"}

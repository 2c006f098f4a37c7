"""A call: one method of the exchange with checked arguments, from which an action is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

from attrs import evolve, field, frozen

from wsmgr.manager.venues.hyperliquid.exchange.actions.action import Action, Named
from wsmgr.manager.venues.hyperliquid.exchange.orders import (
    AssetName,
    CancelByIdRequest,
    CancelRequest,
    ModifyRequest,
    OrderRequest,
)
from wsmgr.manager.venues.hyperliquid.exchange.parameters import Parameter
from wsmgr.manager.venues.hyperliquid.values import Kind

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.universe import Asset, Token

Need = Literal["assets", "tokens", "vault_address"]
"""What an action is made of beside its parameters: assets or tokens by their names, the vault that it is for."""


@frozen(kw_only=True)
class CallSpec:
    """One method of the exchange.

    Attributes:
        name: The method's name.
        wire: The type of the action that it makes.
        doc: What it does, in a sentence.
        parameters: What it takes.
        build: What makes the action of the parameters and the needs.
        needs: What else it is made of.
        transfer: Whether it moves funds out of reach of trading, lets somebody else act or charge, or pays for something:
            a venue's settings allow that apart.
    """

    name: str
    wire: str
    doc: str
    parameters: tuple[Parameter, ...]
    build: Callable[..., Action] = field(repr=False)
    needs: tuple[Need, ...] = ()
    transfer: bool = False


@frozen(kw_only=True)
class Call:
    """One call, its arguments checked.

    Attributes:
        spec: The method.
        arguments: Its arguments, typed; amounts are exact.
    """

    spec: CallSpec
    arguments: Mapping[str, Any]

    @property
    def assets(self) -> tuple[AssetName, ...]:
        """The assets that must be looked up before an action can be made, each once."""
        return tuple(dict.fromkeys(_named(self.arguments.values()))) + self._of(Kind.ASSET)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that must be looked up before an action can be made."""
        return self._of(Kind.TOKEN)

    def build(
        self,
        *,
        assets: Mapping[AssetName, Asset],
        tokens: Mapping[str, Token],
        vault_address: str | None = None,
    ) -> Action:
        """Return the action.

        Args:
            assets: What was looked up for `assets`.
            tokens: What was looked up for `tokens`.
            vault_address: The vault or sub-account that it is for, in lower case, or None.

        Raises:
            PrecisionError: A price, a size or an amount is too precise.
            ParameterError: An amount is not above 0, or out of its bounds.
        """
        known = {"assets": assets, "tokens": tokens, "vault_address": vault_address}
        needs = {need: known[need] for need in self.spec.needs}
        made = self.spec.build(**self.arguments, **needs)
        about = {named.id: named for named in self._about(assets, tokens)}
        return evolve(made, method=self.spec.name, transfer=self.spec.transfer, about=tuple(about.values()))

    def _about(self, assets: Mapping[AssetName, Asset], tokens: Mapping[str, Token]) -> Iterator[Named]:
        for asset in (assets[name] for name in self.assets):
            yield Named(id=asset.id, name=asset.name, coin=asset.coin)
        for token in (tokens[name] for name in self.tokens):
            yield Named(id=token.index, name=token.name, coin=f"{token.name}:{token.token_id}")

    def _of(self, kind: Kind) -> tuple[Any, ...]:
        return tuple(self.arguments[each.name] for each in self.spec.parameters if each.kind is kind)


def _named(values: Iterable[object]) -> Iterator[AssetName]:
    for value in values:
        match value:
            case OrderRequest() | CancelRequest() | CancelByIdRequest():
                yield value.asset
            case ModifyRequest():
                yield value.order.asset
            case list():
                yield from _named(cast(list[object], value))
            case _:
                pass

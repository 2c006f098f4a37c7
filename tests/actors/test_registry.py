"""Names: unique or shared, freed before anyone is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.actors.children import Journal, crash

from wsmgr.actors import (
    AlreadyRegisteredError,
    CallExitError,
    ChildSpec,
    Crash,
    DeadRefError,
    DynamicSupervisor,
    NoProc,
    Registry,
    StartError,
)
from wsmgr.actors.testing import Probe, settle

if TYPE_CHECKING:
    from wsmgr.actors import ActorRef


class Named(Probe):
    def __init__(self, registry: Registry, journal: Journal | None = None) -> None:
        super().__init__("named", journal)
        self.registry = registry

    async def init(self) -> Any:
        self.registry.register("name", self.ref)


async def start(tree: DynamicSupervisor, registry: Registry, journal: Journal | None = None) -> ActorRef[Any]:
    return await tree.start_child(ChildSpec("named", lambda: Named(registry, journal)))


@pytest.mark.anyio
class TestNames:
    async def test_name_leads_to_the_process_and_across_restarts_to_its_successor(
        self, tree: DynamicSupervisor
    ) -> None:
        """`via` is an address that does not age."""
        registry = Registry()
        first = await start(tree, registry)
        address = registry.via("name")
        assert registry.whereis("name") is first
        assert await address.call("hello") == "hello"

        address.cast(crash)
        await settle(lambda: registry.whereis("name") not in (None, first))
        assert await address.call("again") == "again"
        await address.send("sent")

    async def test_second_holder_of_a_unique_name_is_refused_and_told_who_has_it(
        self, tree: DynamicSupervisor
    ) -> None:
        """In `init` that is a start error."""
        registry = Registry()
        first = await start(tree, registry)
        with pytest.raises(StartError) as caught:
            await start(tree, registry)
        assert isinstance(caught.value.reason, Crash)
        assert isinstance(caught.value.reason.error, AlreadyRegisteredError)
        assert caught.value.reason.error.ref is first

    async def test_name_is_free_when_the_monitor_fires(self, tree: DynamicSupervisor) -> None:
        """Whoever is told of the end can take the name."""
        registry = Registry()
        ref = await start(tree, registry)
        holders: list[object] = []

        class Watching(Probe):
            async def init(self) -> Any:
                self.monitor(ref)

            async def handle_info(self, message: object) -> Any:
                holders.append(registry.whereis("name"))

        await tree.start_child(ChildSpec("w", Watching))
        await tree.terminate_child(ref)
        await settle(lambda: bool(holders))
        assert [None] == holders

    async def test_duplicate_registry_is_publish_and_subscribe(
        self, tree: DynamicSupervisor, journal: Journal
    ) -> None:
        """`dispatch` reaches all, in order, and says how many took it."""
        registry = Registry(keys="duplicate")
        first, second = await start(tree, registry, journal), await start(tree, registry, journal)
        assert (first, second) == registry.lookup("name")
        assert registry.dispatch("name", "news") == 2
        await second.call("x")
        await first.call("y")
        assert journal.count(("named", "news")) == 2
        await tree.terminate_child(first)
        assert registry.dispatch("name", "news") == 1

    async def test_unregister_frees_the_name_and_the_process_lives_on(self, tree: DynamicSupervisor) -> None:
        """And again is nothing."""
        registry = Registry()
        ref = await start(tree, registry)
        registry.register("name", ref)
        registry.unregister("name")
        registry.unregister("name", ref)
        assert registry.whereis("name") is None
        assert await ref.call("alive") == "alive"
        registry.register("other", ref)
        await tree.terminate_child(ref)
        assert registry.whereis("other") is None

    async def test_name_that_nobody_has(self, tree: DynamicSupervisor) -> None:
        """A cast says False, a call says `NoProc`; a dead process gets no name."""
        registry = Registry()
        address = registry.via("nobody")
        assert address.cast("x") is False
        with pytest.raises(CallExitError) as caught:
            await address.call("x")
        assert NoProc() == caught.value.reason
        ref = await start(tree, registry)
        await tree.terminate_child(ref)
        with pytest.raises(DeadRefError):
            registry.register("late", ref)


def test_registry_knows_two_kinds_of_keys() -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="keys must be one of"):
        Registry(keys="many")  # type: ignore[arg-type]


def test_registry_is_itself_and_a_name_in_it_can_be_a_key() -> None:
    """Two registries have nothing to do with each other; an address goes into sets and dictionaries like a reference."""
    first, second = Registry(), Registry()
    assert first != second
    assert {first.via("a"): 1} == {first.via("a"): 1}
    assert first.via("a") != second.via("a")

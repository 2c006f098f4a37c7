"""Types as tables: what a configuration says of a type is taken as it is meant, or refused in words."""

from __future__ import annotations

import inspect
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.model.catalog import CATALOG

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.errors import ConfigurationError
from wsmgr.manager.model.subscription_type import (
    ConnectionClass,
    FirstProof,
    Join,
    Kind,
    Merge,
    Parameter,
    ParameterKind,
    SubscriptionType,
)
from wsmgr.manager.model.type_table import SUBSCRIBE_OPTIONS, catalog_with


def read(toml: str) -> dict[str, SubscriptionType]:
    """The types of a catalog to which a configuration was added."""
    return dict(catalog_with(CATALOG, tomllib.loads(toml)))


def refusal(toml: str) -> str:
    """What is said about a configuration that cannot be meant."""
    with pytest.raises(ConfigurationError) as caught:
        catalog_with(CATALOG, tomllib.loads(toml), where="dialects.d.types", reserved_channels=("pong",))
    return str(caught.value)


def test_a_type_is_added_with_every_field_that_types_have() -> None:
    """What the built-in types declare, an added one can declare."""
    toml = """
    [depth]
    channel = ["depth", "depthSpot"]
    class = "dedicated"
    kind = "event"
    first_proof = "ack"
    join = "log"
    merge = "items"
    duplicate_key = ["id", "side"]
    items = "rows"
    log_limit = 7
    time = "meta.time"
    host = "api"
    user = "user"
    cadence = 2
    healing = "depthSnapshot"
    identity = { coin = "meta.coin" }
    substitutes = { ticker = "the best price" }
    [[depth.parameters]]
    name = "user"
    kind = "address"
    required = true
    [[depth.parameters]]
    name = "coin"
    choices = ["A", "B"]
    default = "A"
    [[depth.parameters]]
    name = "levels"
    kind = "integer"
    only_with = { coin = "B" }
    """
    expected = SubscriptionType(
        name="depth",
        channel=("depth", "depthSpot"),
        parameters=(
            Parameter(name="user", kind=ParameterKind.ADDRESS, required=True),
            Parameter(name="coin", choices=("A", "B"), default="A"),
            Parameter(name="levels", kind=ParameterKind.INTEGER, only_with=("coin", "B")),
        ),
        identity=(("coin", "meta.coin"),),
        connection_class=ConnectionClass.DEDICATED,
        kind=Kind.EVENT,
        first_proof=FirstProof.ACK,
        join=Join.LOG,
        merge=Merge.ITEMS,
        duplicate_key=("id", "side"),
        items="rows",
        log_limit=7,
        time="meta.time",
        user="user",
        cadence=2.0,
        healing="depthSnapshot",
        substitutes=(("ticker", "the best price"),),
    )
    found = read(toml)
    assert expected == found["depth"]
    assert {*CATALOG, "depth"} == set(found)


def test_the_least_that_a_type_needs_is_a_name() -> None:
    """It comes under the channel of its name, and its frames are whole states."""
    assert SubscriptionType(name="mids", channel=("mids",)) == read("[mids]")["mids"]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ("", ConnectionClass.SHARED),
        ('parameters = [{ name = "coin" }]', ConnectionClass.DEDICATED),
        ('parameters = [{ name = "coin" }]\nidentity = { coin = "coin" }', ConnectionClass.SHARED),
        ('parameters = [{ name = "u", required = true }]\nuser = "u"', ConnectionClass.USER_GROUPED),
        ('parameters = [{ name = "coin" }]\nclass = "shared"', ConnectionClass.SHARED),
        ('connection_class = "dedicated"', ConnectionClass.DEDICATED),
    ],
)
def test_the_class_of_a_new_type_follows_from_what_it_declares(fields: str, found: ConnectionClass) -> None:
    """Who adds a type need not know how types are placed."""
    assert found == read(f"[t]\n{fields}")["t"].connection_class


def test_only_what_is_told_of_a_known_type_changes() -> None:
    """A correction is a line, not a copy of the catalog."""
    book = read("[book]\ncadence = 1.5")["book"]
    assert (1.5, None) == (book.cadence, CATALOG["book"].cadence)
    assert (CATALOG["book"].parameters, Merge.NONE) == (
        book.parameters,
        read('[book]\nmerge="none"')["book"].merge,
    )


def test_what_may_be_none_is_taken_away_with_false() -> None:
    """TOML has no null, and a wrong cadence must be possible to undo."""
    toml = "[ticker]\ncadence = 1\nhealing = 'q'\ntime = 't'\nitems = ''\nremoved = 'gone'"
    full = catalog_with(CATALOG, tomllib.loads(toml))
    again = "[ticker]\ncadence = false\nhealing = false\ntime = false\nitems = false\nremoved = false"
    assert "" == full["ticker"].items
    assert CATALOG["ticker"] == catalog_with(full, tomllib.loads(again))["ticker"]


def test_the_given_catalog_stays_as_it_is() -> None:
    """Venues of one dialect without the correction are not corrected."""
    before = dict(CATALOG)
    read("[ticker]\ncadence = 1\n[mids]")
    assert before == CATALOG


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        (
            "[t]\nchanel = 'x'",
            "[dialects.d.types.t]: there is no field 'chanel' (here: 'x'); did you mean 'channel'?",
        ),
        ("[t]\nname = 'x'", "there is no field 'name'"),
        ("['a b']", "its name is 'a b'; allowed is at most 64 letters"),
        ("t = 5", "[dialects.d.types.t] is 5; allowed is a table"),
        ("[t]\nchannel = []", "channel is []; allowed is a text, or an array of at least one"),
        ("[t]\nchannel = 7", "channel is 7"),
        ("[t]\nchannel = 'pong'", "channel is 'pong'; allowed is any but pong"),
        (
            "[t]\nchannel = 'ticker'",
            "channel is 'ticker'; allowed is one that no other type has; it is that of ticker",
        ),
        ("[t]\nkind = 'states'", "kind is 'states'; allowed is one of state, event"),
        ("[t]\nclass = 'own'", "class is 'own'; allowed is one of shared, dedicated, user_grouped"),
        ("[t]\nclass = 'shared'\nconnection_class = 'shared'", "connection_class is 'shared'"),
        ("[t]\nfirst_proof = 1", "first_proof is 1; allowed is one of frame, ack"),
        ("[t]\njoin = 'all'", "allowed is one of last, log, fold, none"),
        ("[t]\njoin = 'log'", "join is 'log'; allowed is log only where items says"),
        ("[t]\nmerge = 'items'", "merge is 'items'; allowed is items only with a duplicate_key"),
        ("[t]\nmerge = 'time'", "merge is 'time'; allowed is time only where the field time says"),
        (
            "[t]\ncadence = 'often'",
            "cadence is 'often'; allowed is a number of seconds above 0, or false for none",
        ),
        ("[t]\ncadence = 0", "cadence is 0"),
        ("[t]\ncadence = inf", "cadence is inf"),
        ("[t]\ncadence = true", "cadence is True"),
        ("[t]\nlog_limit = 0", "log_limit is 0; allowed is a whole number, at least 1"),
        ("[t]\nlog_limit = true", "log_limit is True"),
        (
            "[t]\ntime = 'a..b'",
            "time is 'a..b'; allowed is a path into the payload, such as 'coin' or 'state.coin'",
        ),
        ("[t]\npacked = 'yes'", "packed is 'yes'; allowed is true or false"),
        ("[t]\npacked = true\ntime = 'x'", "packed is True; allowed is true only without identity"),
        ("[t]\nhealing = ''", "healing is ''; allowed is a text, or false for none"),
        ("[t]\nhost = 'explorer'", "host is 'explorer'; allowed is one of api"),
        ("[t]\nduplicate_key = 'tid'", "duplicate_key is 'tid'; allowed is an array of texts"),
        ("[t]\nitems = 1", "items is 1; allowed is a text, or false for none"),
        ("[t]\nidentity = 'coin'", "identity is 'coin'; allowed is a table of texts"),
        (
            "[t]\nidentity = { coin = 'coin' }",
            "a name in identity is 'coin'; allowed is a parameter: there is none",
        ),
        ("[t]\nuser = 'user'", "user is 'user'; allowed is a required parameter: there is none"),
        (
            "[t]\nsubstitutes = { no = 'x' }",
            "a name in substitutes is 'no'; allowed is a type of the catalog",
        ),
        (
            "[a]\nbare = ['x']\n[b]\nbare = ['x', 'y']",
            "bare is ['x']; allowed is what tells it from b (x, y)",
        ),
        ("[t]\nparameters = 'coin'", "parameters is 'coin'; allowed is an array of tables"),
        ("[t]\nparameters = [{ kind = 'text' }]", "the name of a parameter is None; allowed is a text"),
        (
            "[t]\nparameters = [{ name = 'wait' }]",
            "the name of a parameter is 'wait'; allowed is any but venue, params",
        ),
        (
            "[t]\nparameters = [{ name = 'a' }, { name = 'a' }]",
            "the name of a parameter is 'a'; allowed is each name once",
        ),
        (
            "[t]\nparameters = [{ name = 'a', knd = 1 }]",
            "no field 'knd' of the parameter 'a' (here: 1); did you mean 'kind'?",
        ),
        (
            "[t]\nparameters = [{ name = 'a', kind = 'number' }]",
            "kind of the parameter 'a' is 'number'; allowed is one of text",
        ),
        ("[t]\nparameters = [{ name = 'a', required = 1 }]", "required of the parameter 'a' is 1"),
        (
            "[t]\nparameters = [{ name = 'a', choices = 'x' }]",
            "choices of the parameter 'a' is 'x'; allowed is an array",
        ),
        (
            "[t]\nparameters = [{ name = 'a', kind = 'integer', choices = ['x'] }]",
            "choices of the parameter 'a' is 'x'; allowed is what the parameter takes (a='x' is not a whole number)",
        ),
        (
            "[t]\nparameters = [{ name = 'a', choices = ['x'], default = 'y' }]",
            "default of the parameter 'a' is 'y'; allowed is what the parameter takes (a='y' is not allowed; choose one",
        ),
        (
            "[t]\nparameters = [{ name = 'a', required = true, default = 'y' }]",
            "default of the parameter 'a' is 'y'",
        ),
        (
            "[t]\nparameters = [{ name = 'a', only_with = { b = 1 } }]",
            "only_with of the parameter 'a' is {'b': 1}",
        ),
        ("[t]\nparameters = [{ name = 'a', only_with = { a = '1' } }]", "a table of one other parameter"),
        (
            "[t]\nparameters = [{ name = 'a', only_with = { b = 'x' } }, { name = 'b', kind = 'integer' }]",
            "b='x' is not a whole number",
        ),
    ],
)
def test_a_mistake_is_told_with_its_table_its_field_its_value_and_what_is_allowed(
    toml: str, words: str
) -> None:
    """Whoever writes a type learns from the message alone how to write it."""
    message = refusal(toml)
    assert message.startswith("[dialects.d.types.")
    assert words in message


def test_no_parameter_can_be_called_like_an_option_of_subscribe() -> None:
    """Every option that `subscribe` has is refused, today's and tomorrow's; `type` is the venue's to use."""
    options = {
        name
        for name, each in inspect.signature(Manager.subscribe).parameters.items()
        if each.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert options <= set(SUBSCRIBE_OPTIONS)
    for name in SUBSCRIBE_OPTIONS:
        assert f"the name of a parameter is {name!r}" in refusal(f"[t]\nparameters = [{{ name = '{name}' }}]")
    assert ("type",) == tuple(each.name for each in read("[t]\nparameters=[{name='type'}]")["t"].parameters)


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.booleans()
    | st.integers(-2, 3)
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["state", "a.b", "ticker"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "coin", "kind", "x"]), inner)
    ),
    max_leaves=6,
)
_FIELDS = st.sampled_from(
    [
        *(
            "channel",
            "parameters",
            "identity",
            "class",
            "kind",
            "first_proof",
            "join",
            "merge",
            "items",
            "host",
        ),
        *(
            "duplicate_key",
            "log_limit",
            "time",
            "packed",
            "bare",
            "user",
            "cadence",
            "healing",
            "substitutes",
            "?",
        ),
    ]
)


@given(
    st.dictionaries(
        st.sampled_from(["t", "ticker", "book", "a b"]), _VALUES | st.dictionaries(_FIELDS, _VALUES)
    )
)
def test_any_table_is_taken_or_refused_in_words(tables: dict[str, Any]) -> None:
    """A configuration is never the end of the program."""
    try:
        found = catalog_with(CATALOG, tables)
    except ConfigurationError as error:
        words = str(error)
    else:
        words = "[types. as they were meant"
        assert {*CATALOG, *tables} == set(found)
    assert words.startswith("[types.")

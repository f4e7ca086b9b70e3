"""The rules of a tool, enforced in code."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.tools.context import Channel, ToolContext
from shared.tools.failures import ToolDefinitionError, ToolRefusedError
from shared.tools.keys import canonical, fingerprint, idempotency_key
from shared.tools.policy import Authentication, ToolPolicy, check, require_confirmation
from shared.tools.registry import ToolRegistry
from shared.types import Json, SessionId
from tests.unit.tool_fakes import EMILY, context, emily

IDENTIFIED = ToolPolicy(authentication=Authentication.IDENTIFIED)
MFA = ToolPolicy(authentication=Authentication.MFA)


def missing(policy: ToolPolicy, arguments: Json, who: ToolContext) -> str | None:
    """What the policy asks for; None if it lets the call through."""
    try:
        check(policy, arguments, who)
    except ToolRefusedError as err:
        assert err.code == f"refused:{err.missing}"
        return err.missing
    return None


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"client_id": EMILY},
        {"authenticated": True},
        {"client_id": "", "authenticated": True},
        {"client_id": EMILY, "authenticated": False},
        {"client_id": EMILY, "authenticated": "true"},
        {"client_id": 7, "authenticated": True},
    ],
)
def test_check_needs_a_verified_caller(facts: dict[str, object]) -> None:
    """A client id in the session is not yet a person who proved to be that client."""
    assert missing(IDENTIFIED, {}, context(facts=facts)) == "authentication"
    assert missing(IDENTIFIED, {"client_id": EMILY}, context(facts=facts)) == "authentication"


def test_check_needs_the_second_factor_where_the_policy_says_so() -> None:
    """Name and digits are known to many; the code is not."""
    assert missing(IDENTIFIED, {}, emily()) is None
    assert missing(MFA, {}, emily()) == "mfa"
    who = emily()
    who.memo.set_context("mfa_client_id", EMILY)
    assert missing(MFA, {}, who) is None
    stranger = context(facts={"mfa_client_id": EMILY})
    assert missing(MFA, {}, stranger) == "authentication"


@pytest.mark.parametrize("policy", [IDENTIFIED, ToolPolicy()])
def test_check_refuses_somebody_elses_id(policy: ToolPolicy) -> None:
    """The model once could read any account by writing another client_id."""
    assert missing(policy, {"client_id": "CLT-1002"}, emily()) == "client_id"
    assert missing(policy, {"client_id": EMILY}, emily()) is None
    assert missing(policy, {"client_id": ""}, emily()) is None


@pytest.mark.parametrize("channel", ["agent", "http"])
def test_check_refuses_a_sessionless_call_that_needs_a_caller(channel: Channel) -> None:
    """Without a session nobody is identified, whatever id the request names."""
    who = context(session_id=None, channel=channel)
    assert missing(IDENTIFIED, {"client_id": EMILY}, who) == "authentication"
    assert missing(ToolPolicy(), {}, who) is None


def test_check_refuses_callers_the_tool_is_not_for() -> None:
    """A transfer asked for over HTTP would be promised and never performed."""
    only_agents = ToolPolicy(callers=frozenset({"agent"}))
    assert missing(only_agents, {}, context(channel="http")) == "caller"
    assert missing(only_agents, {}, context(channel="agent")) is None


@pytest.mark.parametrize(
    ("amount", "expected"), [(99.99, None), (100, None), (100.01, "amount"), (10**400, "amount")]
)
def test_check_limits_the_amount(amount: float, expected: str | None) -> None:
    """A billion was once refunded because the model said so."""
    assert missing(ToolPolicy(max_amount=100), {"amount": amount}, context()) == expected


def test_policy_refuses_rules_that_cannot_hold() -> None:
    """A tool that nobody may call or that ends before it starts is a mistake of its author."""
    with pytest.raises(ToolDefinitionError):
        ToolPolicy(timeout_s=0)
    with pytest.raises(ToolDefinitionError):
        ToolPolicy(timeout_s=math.nan)
    with pytest.raises(ToolDefinitionError):
        ToolPolicy(callers=frozenset())
    with pytest.raises(ToolDefinitionError):
        ToolPolicy(callers=frozenset({"anyone"}))


# --- confirmation -----------------------------------------------------------------------------


def confirms(who: ToolContext, key: str, arguments: Json) -> bool:
    """Whether a call under *key* counts as confirmed."""
    again = context(key=key, facts={})
    again = ToolContext(
        session_id=again.session_id,
        agent=again.agent,
        channel=again.channel,
        memo=who.memo,
        idempotency_key=key,
        services=again.services,
    )
    try:
        require_confirmation("refund", arguments, again)
    except ToolRefusedError as err:
        assert err.missing == "confirmation"
        return False
    return True


def test_confirmation_comes_with_a_later_turn_only() -> None:
    """The model cannot say yes for the caller: the same turn asks, however often it tries."""
    who = context()
    assert not confirms(who, "turn-1", {"amount": 5})
    assert not confirms(who, "turn-1", {"amount": 5})
    assert confirms(who, "turn-2", {"amount": 5})


def test_confirmation_is_good_for_one_call_delivered_often() -> None:
    """A redelivered turn must find its yes, and a third turn must ask again."""
    who = context()
    assert not confirms(who, "turn-1", {"amount": 5})
    assert confirms(who, "turn-2", {"amount": 5})
    assert confirms(who, "turn-2", {"amount": 5})
    assert not confirms(who, "turn-3", {"amount": 5})


def test_confirmation_covers_exactly_what_was_asked() -> None:
    """A yes to five dollars is no yes to fifty."""
    who = context()
    assert not confirms(who, "turn-1", {"amount": 5})
    assert not confirms(who, "turn-2", {"amount": 50})
    assert not confirms(who, "", {"amount": 50})


async def test_registry_asks_before_a_tool_that_needs_confirmation() -> None:
    """The rule must hold on the way the agent calls, before the executor runs."""
    ran: list[str] = []

    async def act(arguments: Json) -> None:
        ran.append("yes")

    registry = ToolRegistry()
    registry.register("act", {"name": "act"}, act, policy=ToolPolicy(needs_confirmation=True))
    who = context(key="turn-1")
    assert (await registry.execute("act", {}, who))["error"] == "refused:confirmation"
    assert ran == []


# --- keys -------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(arguments=st.dictionaries(st.text(), JSON, max_size=4))
def test_fingerprint_ignores_the_order_of_names(arguments: Json) -> None:
    """The same call written in another order must not refund twice."""
    reordered = dict(reversed(list(arguments.items())))
    assert fingerprint(arguments) == fingerprint(reordered)


def test_fingerprint_takes_equal_numbers_for_equal_and_others_for_different() -> None:
    """A model writes 35 and 35.0 for the same fee, but true is not one."""
    assert fingerprint({"amount": 35}) == fingerprint({"amount": 35.0})
    assert fingerprint({"amount": 35}) != fingerprint({"amount": 35.5})
    assert canonical({"a": True}) != canonical({"a": 1})
    assert canonical({"a": [1.0, {"b": 2.0}]}) == '{"a":[1,{"b":2}]}'


def test_idempotency_key_differs_by_every_part() -> None:
    """A key that leaves out a part would let one call answer for another."""
    session, other = SessionId("a"), SessionId("b")
    keys = {
        idempotency_key(session, 1, "t", {}),
        idempotency_key(other, 1, "t", {}),
        idempotency_key(session, 2, "t", {}),
        idempotency_key(session, 1, "u", {}),
        idempotency_key(session, 1, "t", {"a": 1}),
    }
    assert len(keys) == 5
    assert idempotency_key(session, 1, "t", {"a": "said"}) == idempotency_key(
        SessionId("a"), 1, "t", {"a": "said"}
    )
    assert "said" not in idempotency_key(session, 1, "t", {"a": "said"})

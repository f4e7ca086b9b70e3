"""Spans: what they hold, what they never hold, and whose they are."""

import asyncio
import re

import pytest
from opentelemetry.trace import StatusCode

from shared.errors import UpstreamTimeoutError
from shared.telemetry import names
from shared.telemetry.context import log_facts
from shared.telemetry.tracing import (
    NO_SPAN,
    Kind,
    current_trace_parent,
    holds_content,
    span,
    within,
)
from tests.unit.span_fakes import traced


def test_span_is_nothing_until_telemetry_is_configured() -> None:
    """Every function runs through it; without telemetry it must cost and do nothing."""
    opened = span(names.SPAN_TURN, {names.TURN: 1})
    assert opened is NO_SPAN
    with opened as turn, within(turn):
        turn.set(names.TURN, 2)
        turn.link("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        turn.fail("code")
    assert (current_trace_parent(), holds_content()) == ("", False)


def test_span_holds_what_it_was_given_and_whose_it_is() -> None:
    """A search for a call or a session finds every span of it."""
    with (
        traced() as kept,
        log_facts(session_id="s-1", call_connection_id="c-1", function="not ours"),
        span(names.SPAN_ACS, {names.PEER: names.PEER_ACS}, kind=Kind.CLIENT) as opened,
    ):
        opened.set(names.COMMANDS, 3)
        opened.set(names.PHASE, None)
    (ended,) = kept.ended
    assert (ended.name, ended.kind.name) == ("acs", "CLIENT")
    assert dict(ended.attributes or {}) == {
        "session.id": "s-1",
        "call.connection.id": "c-1",
        "peer.service": "Azure Communication Services",
        "voice.commands": 3,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [(UpstreamTimeoutError("secret"), UpstreamTimeoutError.code), (ValueError("x"), "ValueError")],
)
def test_span_says_what_failed_and_not_in_which_words(error: Exception, code: str) -> None:
    """The text of an error may quote what a person said."""
    with traced() as kept, pytest.raises(type(error)), span(names.SPAN_TURN):
        raise error
    (ended,) = kept.ended
    assert ended.status.status_code is StatusCode.ERROR
    assert not ended.status.description
    assert dict(ended.attributes or {}) == {"error.type": code}
    assert not ended.events


def test_span_that_is_called_off_has_not_failed() -> None:
    """A caller who hangs up ends a turn; that is no error of ours."""
    with traced() as kept, pytest.raises(asyncio.CancelledError), span(names.SPAN_TURN):
        raise asyncio.CancelledError
    assert kept.ended[0].status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("may_hold_content", [True, False])
def test_span_holds_what_people_say_only_if_it_may(may_hold_content: bool) -> None:
    """The default must be safe: with real callers nobody may read their words in a trace."""
    with traced(may_hold_content=may_hold_content) as kept, span(names.SPAN_TURN) as turn:
        assert holds_content() is may_hold_content
        turn.set(names.CALLER_SAID, "my dog is ill")
        turn.set("voice.spii.x", 1)  # a segment, not a part of a word
    attributes = dict(kept.ended[0].attributes or {})
    assert (names.CALLER_SAID in attributes) is may_hold_content
    assert attributes["voice.spii.x"] == 1


def test_span_gives_nobody_away_even_where_it_may_hold_content() -> None:
    """Numbers that identify somebody are of no use to whoever reads a trace."""
    with traced(may_hold_content=True) as kept, span(names.SPAN_TURN) as turn:
        turn.set(names.CALLER_SAID, "call me at +14255550123 or mail a.b@example.org")
        turn.set(names.CALL_CONNECTION_ID, "411b0b00-0000-4000-8000-0123456789ab")
    attributes = dict(kept.ended[0].attributes or {})
    assert "4255550123" not in str(attributes)
    assert "example.org" not in str(attributes)
    assert attributes[names.CALL_CONNECTION_ID] == "411b0b00-0000-4000-8000-0123456789ab"


def test_span_links_to_another_trace_and_never_to_its_own() -> None:
    """All invocations of a call are found from its first one."""
    with traced() as kept:
        with span("first"):
            first = current_trace_parent()
        with span("second") as second:
            second.link(first)
            second.link("")
            second.link("nonsense")
            second.link(current_trace_parent())
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[13]", first)
    (link,) = kept.named("second")[0].links
    assert f"{link.context.trace_id:032x}" in first
    assert not kept.named("first")[0].links


def test_span_that_is_a_detail_needs_something_to_be_part_of() -> None:
    """A ping of the session store every few minutes is not worth a trace of its own."""
    with traced() as kept:
        with span("redis PING", is_detail=True):
            pass
        with span("turn"), span("redis EVALSHA", is_detail=True):
            pass
    assert [one.name for one in kept.ended] == ["redis EVALSHA", "turn"]


async def test_span_of_an_asynchronous_generator_is_told_what_it_is_part_of() -> None:
    """Its pieces run in the tasks of whoever asks for the next, so nothing can be current."""
    with traced() as kept, span("turn"):
        with span("agent", is_current=False) as agent:
            with span("chat", parent=agent, is_current=False):
                pass
            with within(agent), span("tool"):
                await asyncio.create_task(_opens("redis"))
        with span("next"):
            pass
    parents = {one.name: kept.parent_of(one) for one in kept.ended}
    assert parents == {
        "turn": "",
        "agent": "turn",
        "chat": "agent",
        "tool": "agent",
        "redis": "tool",
        "next": "turn",
    }


async def _opens(name: str) -> None:
    with span(name):
        await asyncio.sleep(0)


def test_names_are_distinct_and_content_is_marked() -> None:
    """Two meanings under one name could not be told apart; what people say carries its mark."""
    values = {name: value for name, value in vars(names).items() if name.isupper()}
    texts = [one for one in values.values() if isinstance(one, str)]
    doubled = {"azure.ai.openai"}  # as provider and, for older readers, as system
    assert len(set(texts) | doubled) == len(texts)
    marked = {name for name, value in values.items() if "pii" in str(value).split(".")}
    assert marked == {"CALLER_SAID", "TOOL_ARGUMENTS"}

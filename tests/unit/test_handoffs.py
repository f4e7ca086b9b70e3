"""Handoffs within a turn: who goes on, what they say first, and what they are told."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from shared.agent.conversation import LAST_RESORT, Conversation, TurnLimits
from shared.agent.definition import AgentDefinition
from shared.agent.handoff import HandoffNote
from shared.agent.passing import name_targets
from shared.agent.toolbox import RegisteredTools
from shared.agent.turn import (
    After,
    CueKind,
    Finished,
    Handoff,
    Sentence,
    ToolsRecorded,
    TurnItem,
    TurnRequest,
)
from shared.clock import SystemClock
from shared.latency.stages import Stages
from shared.tools.handoff_context import HandoffContext
from shared.tools.registry import build_registry
from shared.types import AgentName, Json
from tests.unit.fakes import FakeChatModel, FakeMemory, FakeToolbox, call, completion
from tests.unit.tool_fakes import EMILY, FakeLedger, services
from tests.unit.turn_stage import AGENTS, CONCIERGE, keep, request, run, said

FRAUD, AUTH = AgentName("fraud"), AgentName("auth")
COMPLIANCE, KNOWLEDGE = AgentName("compliance"), AgentName("general_kb")
TOOLS = RegisteredTools(build_registry(), ledger=FakeLedger(), services=services())
CHARGE = '{"fraud_type": "unknown charge", "issue_summary": "489.99 in Tallinn"}'
VERIFIED = {"authenticated": True, "client_id": EMILY, "caller_name": "Emily Rivera"}


def answers(text: str) -> list[Any]:
    """A model call that says *text*."""
    return [text, completion()]


def passes(tool: str, arguments: str = "{}") -> list[Any]:
    """A model call that passes the caller on, silently."""
    return [completion(call(tool, arguments))]


def known(**threads: list[Json]) -> FakeMemory:
    """A session that has verified Emily."""
    return FakeMemory(dict(VERIFIED), dict(threads))


def edged(name: AgentName, to: AgentName, **changes: Any) -> Mapping[AgentName, AgentDefinition]:
    """The shipped agents, with one edge changed."""
    agent = AGENTS[name]
    edges = tuple(replace(one, **changes) if one.to == to else one for one in agent.handoffs)
    return {**AGENTS, name: agent.with_handoffs(edges)}


def last_result(model: FakeChatModel, number: int) -> Json:
    """What the tool that was called last returned, as model call *number* is shown it."""
    results = [one for one in model.asked[number] if one["role"] == "tool"]
    result: Json = json.loads(results[-1]["content"])
    return result


async def test_handoff_announced_is_introduced_and_answered_in_the_same_turn() -> None:
    """The new agent says who it is, knows the matter, and asks for nothing that was said."""
    model = FakeChatModel(passes("handoff_fraud_agent", CHARGE), answers("I see the charge."))
    asked = request(text="a charge I don't know", memory=known())
    items = await run(model, asked, TOOLS)
    assert Handoff(FRAUD) in items
    assert said(items) == ["This is the fraud desk of Contoso Bank.", "I see the charge."]
    system, user, introduced, note = model.asked[1]
    assert system["content"].startswith("Agent: fraud")
    for part in ("concierge has passed", "unknown charge", "489.99 in Tallinn", "Emily Rivera"):
        assert part in system["content"]
    assert user == {"role": "user", "content": "a charge I don't know"}
    assert introduced["content"] == "This is the fraud desk of Contoso Bank."
    assert "do not repeat" in note["content"]


async def test_handoff_discrete_says_nothing_of_its_own() -> None:
    """The caller is to notice nothing: the first words are the answer."""
    model = FakeChatModel(passes("handoff_to_auth", '{"reason": "code"}'), answers("Your name?"))
    items = await run(model, request(), TOOLS)
    assert said(items) == ["Your name?"]
    assert model.asked[1][0]["content"].startswith("Agent: auth")
    assert [one["role"] for one in model.asked[1]] == ["system", "user"]


async def test_handoff_that_shares_nothing_begins_as_with_a_stranger() -> None:
    """Announced and not shared: the desk greets, asks, and is shown nothing of what was said."""
    model = FakeChatModel(
        passes("handoff_compliance_desk", '{"compliance_issue": "held", "urgency": "high"}'),
        answers("Which payment?"),
    )
    asked = request(text="my wire is held", memory=known(), facts={"reason": "a wire"})
    items = await run(model, asked, TOOLS)
    greeting = "This is the compliance desk of Contoso Bank. Which payment or which question is it"
    assert said(items) == [f"{greeting} about?"]
    assert len(model.asked) == 1

    memory = asked.memory
    assert isinstance(memory, FakeMemory)
    memory.threads[COMPLIANCE].append(
        {"role": "user", "content": "the big one", "turn": 3, "n": 12}
    )
    later = request(text="the big one", memory=memory, agent=COMPLIANCE, turn=3)
    await run(model, replace(later, facts={"reason": "a wire"}), TOOLS)
    shown = json.dumps(model.asked[1])
    for secret in ("Emily", EMILY, "held", "high", "my wire", "a wire", "concierge has passed"):
        assert secret not in shown
    assert "The caller is verified. Do not verify again." in shown


async def test_handoff_that_is_discrete_and_shares_nothing_answers_the_callers_words_only() -> None:
    """Somebody must answer what was said in this turn; who it was said by stays unknown."""
    agents = edged(CONCIERGE, FRAUD, is_announced=False, shares_context=False)
    model = FakeChatModel(passes("handoff_fraud_agent", CHARGE), answers("Which charge?"))
    items = await run(model, request(text="a charge!", memory=known()), TOOLS, agents=agents)
    assert said(items) == ["Which charge?"]
    assert model.asked[1][1:] == [{"role": "user", "content": "a charge!"}]
    for secret in ("Emily", EMILY, "Tallinn", "unknown charge", "has passed the caller"):
        assert secret not in model.asked[1][0]["content"]


async def test_handoff_without_context_lets_the_agent_learn_the_name_itself() -> None:
    """What the new agent finds out is its own, and is not hidden from it."""
    agents = edged(CONCIERGE, FRAUD, is_announced=False, shares_context=False)
    model = FakeChatModel(passes("handoff_fraud_agent"), answers("Who are you?"), answers("Good."))
    asked = request(text="a charge!")
    await run(model, asked, TOOLS, agents=agents)
    assert isinstance(asked.memory, FakeMemory)
    asked.memory.context |= VERIFIED
    later = request(text="Emily", memory=asked.memory, agent=FRAUD, turn=3)
    await run(model, later, TOOLS, agents=agents)
    assert "Emily Rivera" in model.asked[2][0]["content"]


async def test_handoff_leaves_no_facts_behind_in_the_history_of_who_was_told_nothing() -> None:
    """What goes along to the next agent does not come back with the history of this one."""
    model = FakeChatModel(
        passes("handoff_compliance_desk"), passes("handoff_concierge"), answers("Yes?")
    )
    asked = request(text="my wire", memory=known())
    await run(model, asked, TOOLS)
    memory = asked.memory
    assert isinstance(memory, FakeMemory)
    back = request(text="my balance", memory=memory, agent=COMPLIANCE, turn=3)
    await run(model, back, TOOLS)
    assert "Emily" not in json.dumps(memory.threads[COMPLIANCE])
    assert EMILY not in json.dumps(memory.threads[COMPLIANCE])


async def test_handoff_leaves_what_it_answered_in_view() -> None:
    """In later turns the new agent still sees the words that its first answer was an answer to."""
    model = FakeChatModel(
        passes("handoff_fraud_agent"), answers("Was it you?"), answers("I understand.")
    )
    asked = request(text="a charge")
    await run(model, asked, TOOLS)
    memory = asked.memory
    assert isinstance(memory, FakeMemory)
    memory.threads[FRAUD].append({"role": "user", "content": "no", "turn": 3, "n": 12})
    await run(model, request(text="no", memory=memory, agent=FRAUD, turn=3), TOOLS)
    assert [one["content"] for one in model.asked[2][1:]] == [
        "a charge",
        "This is the fraud desk of Contoso Bank. Was it you?",
        "no",
    ]


async def test_handoff_back_is_welcomed_back() -> None:
    """Who has spoken with an agent before does not hear its greeting again."""
    spoken: Json = {"role": "assistant", "content": "Hello.", "turn": 1, "n": 1}
    memory = known(concierge=[spoken], fraud=[{**spoken, "turn": 2}])
    model = FakeChatModel(
        passes("handoff_concierge", '{"previous_topic": "fraud"}'), answers("Your balance is 12.")
    )
    items = await run(model, request(text="my balance", memory=memory, agent=FRAUD, turn=3), TOOLS)
    assert said(items) == ["You are back with the front desk.", "Your balance is 12."]
    assert "fraud has passed the caller" in model.asked[1][0]["content"]


async def test_handoffs_of_a_turn_are_limited_to_three() -> None:
    """Agents that send a caller round and round must answer in the end."""
    model = FakeChatModel(
        passes("handoff_fraud_agent"),
        passes("handoff_to_auth", '{"reason": "a"}'),
        passes("handoff_concierge"),
        passes("handoff_general_kb"),
        answers("Then I will help you."),
    )
    items = await run(model, request(text="help"), TOOLS)
    assert [one.to for one in items if isinstance(one, Handoff)] == [FRAUD, AUTH, CONCIERGE]
    assert said(items)[-1] == "Then I will help you."
    assert last_result(model, 4)["error"] == "limit_reached"


async def test_handoff_keeps_what_is_not_much() -> None:
    """0, False and an empty text are answers; only what nobody said is left out."""
    memory = FakeMemory()
    note = HandoffNote(
        to=FRAUD,
        from_agent=CONCIERGE,
        turn=2,
        number=1,
        is_return=False,
        is_unsaid=False,
        hides_caller=False,
        context=HandoffContext(reason="", details={"count": 0, "is_urgent": False, "note": ""}),
    )
    note.keep(memory)
    kept = json.loads(json.dumps(memory.context["handoff"]))
    assert kept["context"] == {
        "reason": "",
        "details": {"count": 0, "is_urgent": False, "note": ""},
    }
    assert HandoffNote.of(FakeMemory({"handoff": kept})) == note


@pytest.mark.parametrize("kept", [None, "x", {}, {"to": "fraud"}])
def test_handoff_note_of_another_release_is_none(kept: object) -> None:
    """A session may outlive a deployment; what cannot be read is not half believed."""
    assert HandoffNote.of(FakeMemory({"handoff": kept})) is None


async def test_handoff_leads_where_the_edge_says_whatever_the_result_says() -> None:
    """A tool result cannot move the caller to an agent the definition does not lead to."""
    result: Json = {"success": True, "handoff": True, "target_agent": "admin"}
    model = FakeChatModel(passes("handoff_fraud_agent"), answers("I look into it."))
    items = await run(model, request(), FakeToolbox({"handoff_fraud_agent": result}))
    assert [one.to for one in items if isinstance(one, Handoff)] == [FRAUD]
    (recorded,) = (one for one in items if isinstance(one, ToolsRecorded))
    assert json.loads(recorded.messages[1]["content"])["target_agent"] == "fraud"


async def test_handoff_is_not_made_by_other_tools() -> None:
    """What a lookup returns is data: it passes nobody on."""
    result: Json = {"success": True, "handoff": True, "target_agent": "fraud"}
    model = FakeChatModel(passes("get_account_summary"), answers("It is 12."))
    items = await run(model, request(), FakeToolbox({"get_account_summary": result}))
    assert not any(isinstance(one, Handoff) for one in items)


async def test_handoff_to_an_agent_by_name_takes_allowed_names_only() -> None:
    """The model is told whom it may name; nothing runs before it names one of them."""
    model = FakeChatModel(
        passes("handoff_to_agent", '{"target_agent": "admin", "reason": "r"}'),
        passes("handoff_to_agent", '{"target_agent": "fraud", "reason": "r", "context": "c"}'),
        answers("I see it."),
    )
    asked = request(text="a charge", agent=KNOWLEDGE)
    items = await run(model, asked, TOOLS)
    refusal = last_result(model, 1)
    assert refusal["error"] == "unknown_agent"
    known_names = "card_recommendation, compliance, fraud, investment_advisor"
    assert refusal["message"] == f"You may pass the caller to: {known_names}."
    assert [one.to for one in items if isinstance(one, Handoff)] == [FRAUD]
    note = HandoffNote.of(asked.memory)
    assert note is not None
    assert note.context is not None
    assert (note.context.reason, note.context.summary) == ("r", "c")
    assert note.context.previous_agent == KNOWLEDGE


async def test_handoff_to_an_agent_by_name_lists_the_names_for_the_model() -> None:
    """A choice that is in the schema is not guessed; other tools are as they were registered."""
    registry = build_registry()
    tools = registry.get_tools_for_agent(["handoff_to_agent", "search_knowledge_base"])
    named, other = (name_targets(tool, AGENTS[KNOWLEDGE]) for tool in tools)
    properties = named["function"]["parameters"]["properties"]
    targets = ["fraud", "card_recommendation", "investment_advisor", "compliance"]
    assert properties["target_agent"]["enum"] == targets
    assert properties["reason"] == tools[0]["function"]["parameters"]["properties"]["reason"]
    assert other is tools[1]


async def test_transfer_is_refused_where_there_is_no_phone() -> None:
    """A chat cannot be connected; the model is told so even if it calls what it was not offered."""
    transfer = call("transfer_call_to_call_center", '{"queue_id": "fraud", "reason": "r"}')
    model = FakeChatModel([completion(transfer)], answers("Shall somebody call you back?"))
    items = await run(model, request(channel="chat"), TOOLS)
    assert last_result(model, 1)["error"] == "unknown_tool"
    assert "offer a callback instead" in model.asked[0][0]["content"]
    assert "leave_voicemail" not in model.asked[0][0]["content"]
    finished = items[-1]
    assert isinstance(finished, Finished)
    assert finished.after is After.LISTEN


async def test_handoff_names_who_really_passes_the_caller_on() -> None:
    """The second handoff of a turn comes from the second agent, not from the first."""
    model = FakeChatModel(
        passes("handoff_fraud_agent"),
        passes("handoff_to_auth", '{"reason": "a"}'),
        answers("Your name?"),
    )
    asked = request()
    await run(model, asked, TOOLS)
    note = HandoffNote.of(asked.memory)
    assert note is not None
    assert note.context is not None
    assert (note.from_agent, note.context.previous_agent) == (FRAUD, FRAUD)


async def test_handoff_of_two_at_once_makes_the_first() -> None:
    """One caller goes to one agent; the other tool says that it did nothing."""
    both = completion(call("handoff_fraud_agent"), call("handoff_general_kb"))
    model = FakeChatModel([both], answers("I see it."))
    items = await run(model, request(), TOOLS)
    assert [one.to for one in items if isinstance(one, Handoff)] == [FRAUD]
    (recorded,) = (one for one in items if isinstance(one, ToolsRecorded))
    assert json.loads(recorded.messages[2]["content"])["error"] == "not_passed_on"


async def test_handoff_gives_way_to_a_person() -> None:
    """Who is being connected with a person is not passed to another agent at the same time."""
    transfer = call("transfer_call_to_call_center", '{"queue_id": "fraud", "reason": "r"}')
    both = completion(call("handoff_fraud_agent"), transfer)
    model = FakeChatModel([both], answers("I try to connect you."))
    items = await run(model, request(), TOOLS)
    finished = items[-1]
    assert isinstance(finished, Finished)
    assert finished.after is After.TRANSFER
    assert not any(isinstance(one, Handoff) for one in items)
    results = [json.loads(one["content"]) for one in model.asked[1] if one["role"] == "tool"]
    assert [one["success"] for one in results] == [False, True]


async def test_handoff_that_fails_keeps_the_caller() -> None:
    """A refused handoff is a result like any other: the agent tells the caller."""
    failed: Json = {"success": False, "error": "tool_timeout"}
    model = FakeChatModel(passes("handoff_fraud_agent"), answers("I could not pass you on."))
    items = await run(model, request(), FakeToolbox({"handoff_fraud_agent": failed}))
    assert said(items) == ["I could not pass you on."]
    assert not any(isinstance(one, Handoff) for one in items)


async def test_handoff_records_each_word_once_and_with_its_agent() -> None:
    """Histories are per agent: the new one has no copy of what the old one heard or said."""
    asked = request(text="a charge", memory=known())
    memory = asked.memory
    assert isinstance(memory, FakeMemory)
    memory.threads[CONCIERGE] = [{"role": "user", "content": "a charge", "turn": 2, "n": 1}]
    model = FakeChatModel(passes("handoff_fraud_agent", CHARGE), answers("I see it."))
    await run(model, asked, TOOLS)
    roles = {name: [one["role"] for one in thread] for name, thread in memory.threads.items()}
    assert roles == {"concierge": ["user", "assistant", "tool"], "fraud": ["assistant"] * 2}


async def steps(
    asked: TurnRequest, model: FakeChatModel, count: int
) -> AsyncGenerator[TurnItem, None]:
    """The first *count* items of a turn, each kept: then the instance dies."""
    conversation = Conversation(
        model=model, agents=AGENTS, toolbox=TOOLS, clock=SystemClock(), limits=TurnLimits()
    )
    async with aclosing(conversation.run(asked, Stages(SystemClock().monotonic))) as turn:
        for _ in range(count):
            yield await anext(turn)


@pytest.mark.parametrize("count", [3, 4, 5])
async def test_handoff_is_taken_up_where_it_stands(count: int) -> None:
    """Killed after the tools, the switch or the greeting: nothing is lost, nothing said twice."""
    asked = request(text="a charge", memory=known())
    memory = asked.memory
    assert isinstance(memory, FakeMemory)
    memory.threads[CONCIERGE] = [{"role": "user", "content": "a charge", "turn": 2, "n": 1}]
    agent, heard = CONCIERGE, []
    model = FakeChatModel(passes("handoff_fraud_agent", CHARGE), answers("I see it."))
    async with aclosing(steps(asked, model, count)) as items:
        async for item in items:
            agent = item.to if isinstance(item, Handoff) else agent
            keep(asked, agent, item)
            heard += [item.text] if isinstance(item, Sentence) else []
    resumed = await run(model, replace(asked, agent=agent), TOOLS)
    assert [*heard, *said(resumed)] == ["This is the fraud desk of Contoso Bank.", "I see it."]


async def test_broken_line_is_replaced_and_never_spoken_raw() -> None:
    """A template that fails all the same costs the sentence, not the call."""
    broken = replace(AGENTS[CONCIERGE], greeting="Hi {{ caller_name", return_greeting="{{ x }}")
    agents = {**AGENTS, CONCIERGE: broken}
    greeted = await run(FakeChatModel(), request(CueKind.GREETING, ""), agents=agents)
    assert greeted == [Finished(LAST_RESORT)]
    model = FakeChatModel(passes("handoff_concierge"))
    memory = known(concierge=[{"role": "user", "content": "hi", "turn": 1, "n": 1}])
    items = await run(model, request(memory=memory, agent=FRAUD), TOOLS, agents=agents)
    finished = items[-1]
    assert isinstance(finished, Finished)
    assert finished.is_degraded
    assert "{" not in finished.text


async def test_broken_prompt_ends_in_the_agents_own_apology() -> None:
    """An undefined variable at run time is a degraded turn, not an instruction with a hole."""
    broken = replace(AGENTS[CONCIERGE], prompt="You are {{ nobody }}.")
    model = FakeChatModel()
    items = await run(model, request(), agents={**AGENTS, CONCIERGE: broken})
    assert said(items) == [AGENTS[CONCIERGE].lines.trouble]
    assert model.asked == []

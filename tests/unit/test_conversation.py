"""A turn: what is said, when, and what is said when nothing can be said."""

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace

import pytest

from shared.agent.conversation import Conversation, TurnLimits
from shared.agent.loader import AgentModel
from shared.agent.turn import (
    After,
    CueKind,
    Finished,
    Sentence,
    ToolFinished,
    ToolStarted,
)
from shared.clock import SystemClock
from shared.errors import AgentNotFoundError, UpstreamError
from shared.latency.stages import Stages
from shared.types import AgentName, Json
from tests.unit.fakes import FakeChatModel, FakeMemory, FakeToolbox, call, completion
from tests.unit.turn_stage import AGENTS, CONCIERGE, request, run, said

LINES = AGENTS[CONCIERGE].lines
QUICK = TurnLimits(filler_after_s=0.02, first_sentence_s=0.05, turn_s=0.2)


async def test_conversation_speaks_a_sentence_as_soon_as_another_one_begins() -> None:
    """The first sentence goes out while the rest is being written; the last one is kept back."""
    rest = asyncio.Event()
    model = FakeChatModel(["Your balance is fine. It", rest, " is 12 dollars.", completion()])
    conversation = Conversation(
        model=model, agents=AGENTS, toolbox=FakeToolbox(), clock=SystemClock(), limits=TurnLimits()
    )
    async with aclosing(conversation.run(request(), Stages(SystemClock().monotonic))) as turn:
        first = await anext(turn)
        assert first == Sentence("Your balance is fine.")
        rest.set()
        last = await anext(turn)
    assert isinstance(last, Finished)
    assert last.text == "It is 12 dollars."


async def test_conversation_counts_what_the_model_used() -> None:
    """Tokens are summed over the model calls of a turn."""
    model = FakeChatModel([completion(call("get_account_summary"))], ["Done now.", completion()])
    finished = (await run(model, request()))[-1]
    assert isinstance(finished, Finished)
    assert finished.usage == {
        "model": "model-1",
        "input_tokens": 20,
        "cached_tokens": 0,
        "output_tokens": 10,
        "tokens": {"model-1": {"input": 20, "cached": 0, "output": 10}},
    }


async def test_conversation_shows_the_model_prompt_history_and_tools() -> None:
    """The system message names the agent; the tools are the agent's own."""
    model = FakeChatModel(["Sure, one moment.", completion()])
    await run(model, request())
    system, user = model.asked[0]
    assert system["content"].splitlines()[0] == "Agent: concierge"
    assert user == {"role": "user", "content": "my balance"}
    assert set(model.offered[0]) == set(AGENTS[CONCIERGE].tools)


async def test_conversation_asks_the_agents_own_deployment() -> None:
    """An agent may think with another model than the others; its definition says so."""
    own = replace(AGENTS[CONCIERGE], model=AgentModel("gpt-large", 0.1, 100))
    model = FakeChatModel(["Sure, one moment.", completion()])
    conversation = Conversation(
        model=model,
        agents={CONCIERGE: own},
        toolbox=FakeToolbox(),
        clock=SystemClock(),
        limits=TurnLimits(),
    )
    async with aclosing(conversation.run(request(), Stages(SystemClock().monotonic))) as turn:
        _ = [item async for item in turn]
    assert model.deployments == ["gpt-large"]


async def test_conversation_runs_tools_at_the_same_time() -> None:
    """Two lookups cost the time of one: both wait for each other here, so neither can be first."""
    toolbox = FakeToolbox({"get_account_summary": {"success": False}})
    toolbox.meet = asyncio.Barrier(2)
    calls = (call("get_account_summary"), call("get_recent_transactions", '{"limit": 3}'))
    items = await run(
        FakeChatModel([completion(*calls)], ["Here it is.", completion()]), request(), toolbox
    )
    assert [one for one in items if isinstance(one, ToolStarted)] == [
        ToolStarted("get_account_summary"),
        ToolStarted("get_recent_transactions"),
    ]
    finished = [(one.name, one.is_success) for one in items if isinstance(one, ToolFinished)]
    assert finished == [("get_account_summary", False), ("get_recent_transactions", True)]
    assert sorted(toolbox.ran)[1] == ("get_recent_transactions", {"limit": 3})


async def test_conversation_shows_the_model_what_the_tools_said() -> None:
    """The second model call sees the call and its result, as the session keeps them."""
    toolbox = FakeToolbox({"get_account_summary": {"success": True, "balance": 12}})
    model = FakeChatModel(
        ["Let me look. ", completion(call("get_account_summary"))], ["Done now.", completion()]
    )
    items = await run(model, request(), toolbox)
    assert said(items) == ["Let me look.", "Done now."]
    _, _, asked, answer = model.asked[1]
    assert asked["content"] == "Let me look."
    assert asked["tool_calls"][0]["function"]["name"] == "get_account_summary"
    assert json.loads(answer["content"]) == {"success": True, "balance": 12}


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("drop_tables", "{}", "unknown_tool"),
        ("get_account_summary", "{not json", "invalid_arguments"),
        ("get_account_summary", "[1]", "invalid_arguments"),
    ],
)
async def test_conversation_answers_absurd_tool_calls_itself(
    name: str, arguments: str, error: str
) -> None:
    """What the model makes up reaches no tool; the model is told."""
    toolbox = FakeToolbox()
    model = FakeChatModel([completion(call(name, arguments))], ["I can't do that.", completion()])
    await run(model, request(), toolbox)
    assert toolbox.ran == []
    assert json.loads(model.asked[1][-1]["content"])["error"] == error


async def test_conversation_limits_the_tools_of_a_turn() -> None:
    """A model that calls tools for ever is made to answer."""
    rounds = [[completion(call("get_account_summary", call_id=f"c{n}"))] for n in range(9)]
    model, toolbox = FakeChatModel(*rounds, ["That is all.", completion()]), FakeToolbox()
    await run(model, request(), toolbox)
    assert len(toolbox.ran) == 8
    assert model.offered[8] == []


async def test_conversation_ends_in_a_transfer_when_a_tool_asks_for_one() -> None:
    """The model announces it, without tools to do something else, then the call goes over."""
    transfer: Json = {"success": True, "transfer": {"target": "+15550001111", "next": ["+1555"]}}
    model = FakeChatModel(
        [completion(call("transfer_call_to_call_center"))], ["I try to connect you.", completion()]
    )
    items = await run(model, request(), FakeToolbox({"transfer_call_to_call_center": transfer}))
    finished = items[-1]
    assert isinstance(finished, Finished)
    assert (finished.after, finished.transfer_to) == (After.TRANSFER, "4:+15550001111")
    assert finished.transfer_next == ("4:+1555",)
    assert model.offered[1] == []


async def test_conversation_still_transfers_when_the_model_has_no_words_for_it() -> None:
    """The history says that a transfer was asked for: an apology instead would drop the caller."""
    transfer: Json = {"success": True, "transfer": {"target": "+15550001111", "next": []}}
    model = FakeChatModel(
        [completion(call("transfer_call_to_call_center"))], [UpstreamError("down")]
    )
    toolbox = FakeToolbox({"transfer_call_to_call_center": transfer})
    finished = (await run(model, request(), toolbox))[-1]
    assert isinstance(finished, Finished)
    assert (finished.text, finished.is_degraded) == (LINES.fillers[0], True)
    assert (finished.after, finished.transfer_to) == (After.TRANSFER, "4:+15550001111")


async def test_conversation_ends_in_a_recording_when_a_tool_asks_for_one() -> None:
    """The model announces it; the call does the rest."""
    model = FakeChatModel([completion(call("leave_voicemail"))], ["I get it ready.", completion()])
    toolbox = FakeToolbox({"leave_voicemail": {"success": True, "voicemail_requested": True}})
    finished = (await run(model, request(), toolbox))[-1]
    assert isinstance(finished, Finished)
    assert (finished.text, finished.after) == ("I get it ready.", After.VOICEMAIL)
    assert model.offered[1] == []


async def test_conversation_breaks_a_long_silence_with_a_filler() -> None:
    """A slow model is covered once after the first limit and once after the second."""
    late = asyncio.Event()
    model = FakeChatModel([late, "Here I am.", completion()])
    spoken: list[str] = []
    conversation = Conversation(
        model=model, agents=AGENTS, toolbox=FakeToolbox(), clock=SystemClock(), limits=QUICK
    )
    async with aclosing(conversation.run(request(), Stages(SystemClock().monotonic))) as turn:
        async for item in turn:
            assert isinstance(item, Sentence | Finished)
            spoken.append(item.text)
            if len(spoken) == 2:
                late.set()
    assert spoken == [*LINES.fillers[:2], "Here I am."]


@pytest.mark.parametrize(
    ("failures", "line", "after"),
    [
        (0, LINES.trouble, After.LISTEN),
        (1, LINES.offer_human, After.LISTEN),
        (2, LINES.goodbye, After.HANG_UP),
        (7, LINES.goodbye, After.HANG_UP),
    ],
)
async def test_conversation_climbs_down_the_ladder_when_the_model_fails(
    failures: int, line: str, after: After
) -> None:
    """Apology, offer of a person, goodbye: never silence and never an invented answer (G6)."""
    model = FakeChatModel([UpstreamError("model down")])
    finished = (await run(model, request(failures=failures)))[-1]
    assert finished == Finished(line, after, is_degraded=True)


async def test_conversation_ends_at_its_deadline() -> None:
    """A model that hangs costs the turn, not the call; its stream is closed."""
    model = FakeChatModel([asyncio.Event(), completion()])
    items = await run(model, request(), limits=QUICK)
    assert said(items)[-1] == LINES.trouble
    assert model.closed == 1


async def test_conversation_takes_an_empty_reply_for_a_failure() -> None:
    """A model that says nothing must not leave the caller in silence."""
    finished = (await run(FakeChatModel([completion()]), request()))[-1]
    assert isinstance(finished, Finished)
    assert finished.is_degraded


async def test_conversation_closes_the_model_when_its_consumer_leaves() -> None:
    """A hang-up in mid-sentence stops the model: nothing is left running."""
    never = asyncio.Event()
    model = FakeChatModel(["One sentence here. And", never])
    conversation = Conversation(
        model=model, agents=AGENTS, toolbox=FakeToolbox(), clock=SystemClock(), limits=TurnLimits()
    )
    async with aclosing(conversation.run(request(), Stages(SystemClock().monotonic))) as turn:
        assert await anext(turn) == Sentence("One sentence here.")
    assert model.closed == 1


async def test_conversation_closes_the_model_when_it_is_cancelled() -> None:
    """Cancelled while it waits for the model: the stream is closed, the cancellation goes on."""
    model = FakeChatModel([asyncio.Event()])
    task = asyncio.create_task(run(model, request()))
    await model.began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.closed == 1


@pytest.mark.parametrize(
    ("kind", "count", "line", "after"),
    [
        (CueKind.SILENCE, 1, LINES.reprompts[0], After.LISTEN),
        (CueKind.SILENCE, 3, LINES.reprompts[2], After.LISTEN),
        (CueKind.SILENCE, 9, LINES.reprompts[2], After.LISTEN),
        (CueKind.NOT_UNDERSTOOD, 1, LINES.not_understood, After.LISTEN),
        (CueKind.TROUBLE, 1, LINES.trouble, After.LISTEN),
        (CueKind.TRANSFER_NEXT, 0, LINES.transfer_next, After.TRANSFER),
        (CueKind.TRANSFER_FAILED, 0, LINES.transfer_failed, After.LISTEN),
        (CueKind.VOICEMAIL, 0, LINES.voicemail, After.LISTEN),
        (CueKind.VOICEMAIL_FAILED, 0, LINES.voicemail_failed, After.LISTEN),
        (CueKind.GOODBYE, 0, LINES.goodbye, After.HANG_UP),
    ],
)
async def test_conversation_answers_other_cues_without_a_model(
    kind: CueKind, count: int, line: str, after: After
) -> None:
    """What is always said alike needs no model and so cannot fail with it."""
    items = await run(FakeChatModel(), request(kind, "", count=count))
    assert items == [Finished(line, after)]


async def test_conversation_greets_a_known_caller_by_name() -> None:
    """The greeting is a template over what the session knows."""
    memory = FakeMemory({"caller_name": "Emily Rivera"})
    (finished,) = await run(FakeChatModel(), request(CueKind.GREETING, "", memory=memory))
    assert isinstance(finished, Finished)
    assert "Hello Emily Rivera." in finished.text


async def test_conversation_does_not_say_a_canned_line_twice() -> None:
    """The instance died after it was said: the one that takes over only listens."""
    memory = FakeMemory(
        threads={CONCIERGE: [{"role": "assistant", "content": "Hello.", "turn": 2, "n": 1}]}
    )
    assert await run(FakeChatModel(), request(CueKind.GREETING, "", memory=memory)) == [
        Finished("")
    ]


async def test_conversation_takes_a_turn_up_where_it_stands() -> None:
    """What was said before the instance died is shown to the model as said."""
    memory = FakeMemory(
        threads={
            CONCIERGE: [
                {"role": "user", "content": "my balance", "turn": 2, "n": 1},
                {"role": "assistant", "content": "It is fine.", "turn": 2, "n": 2},
            ]
        }
    )
    model = FakeChatModel(["Anything else you need?", completion()])
    await run(model, request(memory=memory))
    assert model.asked[0][2] == {"role": "assistant", "content": "It is fine."}
    assert "do not repeat" in model.asked[0][3]["content"]


@pytest.mark.parametrize(
    ("result", "ending"),
    [
        (
            {"success": True, "transfer": {"target": "+15551230000", "next": ["+15551230001"]}},
            Finished("", After.TRANSFER, "4:+15551230000", ("4:+15551230001",)),
        ),
        ({"success": True, "voicemail_requested": True}, Finished("", After.VOICEMAIL)),
    ],
)
async def test_conversation_keeps_what_was_asked_for_when_the_turn_is_taken_over(
    result: Json, ending: Finished
) -> None:
    """The instance died after the tool: what it promised happens, in this turn only."""
    asked, toolbox = request(), FakeToolbox({"escalate_human": result})
    with pytest.raises(ZeroDivisionError):
        await run(
            FakeChatModel([completion(call("escalate_human"))], [ZeroDivisionError()]),
            asked,
            toolbox,
        )
    model = FakeChatModel(["I do it now.", completion()])
    finished = (await run(model, asked, FakeToolbox()))[-1]
    assert isinstance(finished, Finished)
    assert replace(finished, text="", usage={}) == ending
    assert model.offered == [[]]
    later = (await run(FakeChatModel(["Yes?", completion()]), replace(asked, turn=3)))[-1]
    assert isinstance(later, Finished)
    assert later.after is After.LISTEN


async def test_conversation_refuses_an_agent_that_is_not_defined() -> None:
    """A session that names an agent of another deployment is an error, not a silent default."""
    with pytest.raises(AgentNotFoundError):
        await run(FakeChatModel(), request(agent=AgentName("nobody")))

"""What a turn tells of its agents, its requests to the model and its tools."""

import asyncio

from shared.agent.turn import Finished
from shared.telemetry.tracing import span
from shared.types import Json
from tests.unit.fakes import FakeChatModel, FakeToolbox, call, completion
from tests.unit.span_fakes import traced
from tests.unit.turn_stage import request, run

HANDOFF: Json = {"success": True, "handoff": True, "target_agent": "fraud"}


async def test_turn_tells_of_agents_requests_and_tools_by_the_names_of_opentelemetry() -> None:
    """Tools that read such traces find the agent, the model, its tokens and how soon it spoke."""
    model = FakeChatModel(
        [completion(call("handoff_fraud_agent"))], ["Good day. ", "How can I help?", completion()]
    )
    toolbox = FakeToolbox({"handoff_fraud_agent": HANDOFF})
    with traced() as kept, span("turn"):
        assert isinstance((await run(model, request(), toolbox))[-1], Finished)
    parents = [(one.name, kept.parent_of(one)) for one in kept.ended]
    assert parents == [
        ("chat fake", "invoke_agent concierge"),
        ("invoke_agent concierge", "turn"),
        ("chat fake", "invoke_agent fraud"),
        ("invoke_agent fraud", "turn"),
        ("turn", ""),
    ]
    first, second = (dict(one.attributes or {}) for one in kept.named("chat fake"))
    assert "gen_ai.response.time_to_first_chunk" not in first  # it said nothing
    assert second.pop("gen_ai.response.time_to_first_chunk") is not None
    assert second == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.system": "azure.ai.openai",
        "gen_ai.request.model": "fake",
        "gen_ai.response.model": "model-1",
        "gen_ai.response.finish_reasons": "stop",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.agent.name": "fraud",
        "gen_ai.conversation.id": "s",
        "peer.service": "Azure OpenAI",
    }
    fraud = dict(kept.named("invoke_agent fraud")[0].attributes or {})
    assert fraud["voice.handoff.from"] == "concierge"
    measured = [name for name, _, _ in kept.values]
    assert measured.count("gen_ai.client.operation.duration") == 2
    assert measured.count("gen_ai.client.token.usage") == 4
    assert measured.count("gen_ai.client.operation.time_to_first_chunk") == 1


async def test_turn_ends_its_spans_when_it_is_called_off() -> None:
    """A caller who hangs up in the middle of an answer must not leave a span open for ever."""
    model = FakeChatModel(["Wait. ", asyncio.Event()])
    with traced() as kept:
        turn = asyncio.create_task(run(model, request()))
        await model.began.wait()
        turn.cancel()
        await asyncio.wait({turn})
    assert [one.name for one in kept.ended] == ["chat fake", "invoke_agent concierge"]

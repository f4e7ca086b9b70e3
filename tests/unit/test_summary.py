"""What the model is asked about a call that is over, and what is made of its answer."""

import json
from typing import Any

import pytest

from shared.agent.completions import Completion, ToolCall
from shared.agent.summary import NOTHING_SAID, Summarizer, conversation_text
from shared.errors import UpstreamError
from shared.types import Json
from tests.unit.fakes import FakeChatModel

WRITTEN: Json = {
    "short": "The caller asked for a refund.",
    "long": "The caller asked for a refund of a fee. It was refunded.",
    "satisfaction": "satisfied",
    "next_step": "",
}
TALK: list[Json] = [
    {"role": "assistant", "content": "Hello.", "agent": "concierge"},
    {"role": "user", "content": "Refund my fee.", "agent": "concierge"},
    {"role": "assistant", "content": None, "tool_calls": [], "agent": "concierge"},
    {"role": "tool", "content": "{}", "name": "refund_fee", "agent": "concierge"},
]


def answer(name: str = "record_summary", **changes: object) -> Completion:
    """The model's call of the tool."""
    arguments = json.dumps({**WRITTEN, **changes})
    return Completion("tool_calls", (ToolCall("c1", name, arguments),), 40, 20, "gpt")


async def summary_of(*replies: Any, talk: list[Json] = TALK) -> tuple[Json, FakeChatModel]:
    """What a model that answers so makes of a conversation, and the model."""
    model = FakeChatModel(list(replies))
    return await Summarizer(model, timeout_s=5).summarize(talk), model


async def test_summary_is_what_the_model_wrote_with_what_it_cost() -> None:
    """Four fields that staff reads, and the tokens for the bill."""
    summary, model = await summary_of(answer())
    assert summary == {
        "status": "ok",
        **WRITTEN,
        "usage": {
            "model": "gpt",
            "input_tokens": 40,
            "cached_tokens": 0,
            "output_tokens": 20,
            "tokens": {"gpt": {"input": 40, "cached": 0, "output": 20}},
        },
    }
    assert model.offered == [["record_summary"]]


async def test_summary_holds_no_number_that_identifies_somebody() -> None:
    """The model is told to leave them out; whether it does is not left to it."""
    summary, _ = await summary_of(answer(short="Call back +1 415 555 0132, card 4111111111111111."))
    assert "4111" not in summary["short"]
    assert "415" not in summary["short"]


async def test_summary_of_silence_asks_nobody() -> None:
    """A caller who hung up during the greeting costs no tokens."""
    summary, model = await summary_of(talk=TALK[:1])
    assert summary == NOTHING_SAID
    assert model.asked == []


@pytest.mark.parametrize(
    "reply",
    [
        answer("other_tool"),
        answer(satisfaction="delighted"),
        answer(short=""),
        answer(extra="x"),
        Completion("stop", (), 1, 1, "gpt"),
        Completion("tool_calls", (ToolCall("c", "record_summary", "{"),), 1, 1, "gpt"),
    ],
)
async def test_summary_that_is_none_is_an_error(reply: Completion) -> None:
    """Nothing is made up in its place; the model is asked again later."""
    with pytest.raises(UpstreamError):
        await summary_of(reply)


def test_conversation_text_says_who_spoke_and_what_tools_answered() -> None:
    """The model must be able to tell a wish from what was done."""
    assert conversation_text(TALK) == (
        "agent concierge: Hello.\ncaller: Refund my fee.\ntool refund_fee: {}"
    )


async def test_summary_of_a_long_conversation_keeps_its_end() -> None:
    """What came of it matters more than how it began, and the model's window is finite."""
    long = [{"role": "user", "content": f"{number} " + "x" * 990} for number in range(60)]
    _, model = await summary_of(answer(), talk=long)
    asked = model.asked[0][1]["content"]
    assert len(asked) == 24_000
    assert "59 x" in asked

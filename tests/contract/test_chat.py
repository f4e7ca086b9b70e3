"""Text sessions on a real Redis: a turn is a request, and a request that comes again is not one."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import pytest

from shared.agent.completions import Completion, TextDelta
from shared.calls import events as ev
from shared.calls.chat import Chat
from shared.clock import SystemClock
from shared.errors import (
    AgentNotFoundError,
    ConflictError,
    SessionNotFoundError,
    TurnInProgressError,
)
from shared.redis.manager import AzureRedisManager
from shared.types import AgentName, EventId, Json, SessionId
from tests.contract.call_stage import BANK, CALLER, CONCIERGE, PERSON, Phone, ReflexModel, Stage

pytest_plugins = ("tests.contract.redis_fixture",)


class FakeModel(ReflexModel):
    """Answers as the reflex does, once it may; or breaks in a way nobody foresaw."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_asked = asyncio.Event()
        self.crashes = 0

    async def stream(
        self, messages: Sequence[Json], *, tools: Sequence[Json] = (), **options: Any
    ) -> AsyncGenerator[TextDelta | Completion, None]:
        """A function of the messages alone."""
        self.is_asked.set()
        await self.may_answer.wait()
        if self.crashes:
            self.crashes -= 1
            raise ZeroDivisionError
        async for part in super().stream(messages, tools=tools, **options):
            yield part


class ChatStage(Stage):
    """A stage whose model can be held, with a chat on every instance."""

    def __init__(self, managers: Sequence[AzureRedisManager], *, turn_timeout_s: float) -> None:
        self.gate = FakeModel()
        super().__init__(managers, Phone(()), model=self.gate)
        self.chats = [
            Chat(runner, agents=self.agents, clock=SystemClock(), turn_timeout_s=turn_timeout_s)
            for runner in self.runners
        ]

    async def opened(self) -> SessionId:
        """A session that has greeted."""
        return SessionId((await self.chats[0].open(None))["session_id"])


@pytest.fixture
async def stage(redis_url: str) -> AsyncIterator[ChatStage]:
    """Two instances."""
    managers = [AzureRedisManager(url=redis_url) for _ in range(2)]
    stage = ChatStage(managers, turn_timeout_s=5.0)
    yield stage
    stage.gate.may_answer.set()
    for runner in stage.runners:
        await runner.drain()
    for manager in managers:
        await manager.aclose()


def answer_to(text: str) -> str:
    """What the reflex says about *text*."""
    return f"About this matter: {text}. Is there anything else I can do?"


async def test_chat_opens_with_a_greeting(stage: ChatStage) -> None:
    """A session begins with the agent's words and its first turn."""
    reply = await stage.chats[0].open(None)
    assert (reply["turn"], reply["agent"]) == (1, CONCIERGE)
    assert reply["text"]
    assert stage.phone.requests == {}  # nothing of it goes to a telephone


async def test_chat_turn_answers_what_was_written(stage: ChatStage) -> None:
    """The reply is whole, says whose it is, and tells where its time went."""
    session_id = await stage.opened()
    reply = await stage.chats[0].turn(session_id, "my card")
    assert (reply["turn"], reply["agent"], reply["text"]) == (2, CONCIERGE, answer_to("my card"))
    assert reply["session_id"] == session_id
    assert sum(reply["stages_ms"].values()) > 0
    again = await stage.chats[1].turn(session_id, "my pin")
    assert (again["turn"], again["text"]) == (3, answer_to("my pin"))


async def test_chat_gives_the_same_reply_for_the_same_key(stage: ChatStage) -> None:
    """A client that lost the answer asks again, of any instance; the tools ran once (G1, G2)."""
    session_id = await stage.opened()
    first = await stage.chats[0].turn(session_id, "my card", key="k1")
    assert await stage.chats[1].turn(session_id, "my card", key="k1") == first
    await stage.chats[0].turn(session_id, "my pin", key="k2")
    assert await stage.chats[1].turn(session_id, "my card", key="k1") == first
    assert list(stage.noted.values()) == [1, 1]


async def test_chat_opens_one_session_for_a_key(stage: ChatStage) -> None:
    """Opened again, it is the session that is there, with the greeting it began with."""
    key = uuid.uuid4().hex
    first = await stage.chats[0].open(None, key=key)
    session_id = SessionId(first["session_id"])
    await stage.chats[0].turn(session_id, "my card")
    assert await stage.chats[1].open(None, key=key) == first
    assert (await stage.chats[0].open(None))["session_id"] != session_id


async def test_chat_takes_one_turn_at_a_time(stage: ChatStage) -> None:
    """Two at once would mix their answers; the second is told to wait and can come again (G4)."""
    session_id = await stage.opened()
    stage.gate.may_answer.clear()
    first = asyncio.create_task(stage.chats[0].turn(session_id, "my card"))
    await stage.gate.is_asked.wait()
    with pytest.raises(TurnInProgressError):
        await stage.chats[1].turn(session_id, "my pin", key="k2")
    stage.gate.may_answer.set()
    assert (await first)["text"] == answer_to("my card")
    assert (await stage.chats[1].turn(session_id, "my pin", key="k2"))["text"] == answer_to(
        "my pin"
    )


async def test_chat_turns_that_race_are_told_apart(stage: ChatStage) -> None:
    """Sent in the same instant to two instances: one is answered, the other turned away."""
    session_id = await stage.opened()
    results = await asyncio.gather(
        *(chat.turn(session_id, f"matter {n}") for n, chat in enumerate(stage.chats)),
        return_exceptions=True,
    )
    refused = [one for one in results if isinstance(one, TurnInProgressError)]
    answered = [one for one in results if isinstance(one, dict)]
    assert (len(refused), len(answered)) == (1, 1)
    assert list(stage.noted.values()) == [1]


async def test_chat_that_is_asked_again_too_early_says_so(stage: ChatStage) -> None:
    """The same key while the answer is still being made: not half of it, and not run twice."""
    session_id = await stage.opened()
    stage.gate.may_answer.clear()
    first = asyncio.create_task(stage.chats[0].turn(session_id, "my card", key="k1"))
    await stage.gate.is_asked.wait()
    with pytest.raises(TurnInProgressError):
        await stage.chats[1].turn(session_id, "my card", key="k1")
    stage.gate.may_answer.set()
    reply = await first
    assert await stage.chats[1].turn(session_id, "my card", key="k1") == reply
    assert list(stage.noted.values()) == [1]


async def test_chat_client_who_leaves_finds_the_answer_later(stage: ChatStage) -> None:
    """The turn belongs to the session and not to the request: it goes on and is kept (G3)."""
    session_id = await stage.opened()
    stage.gate.may_answer.clear()
    left = asyncio.create_task(stage.chats[0].turn(session_id, "my card", key="k1"))
    await stage.gate.is_asked.wait()
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    stage.gate.may_answer.set()
    await stage.runners[0].drain()
    reply = await stage.chats[1].turn(session_id, "my card", key="k1")
    assert reply["text"] == answer_to("my card")
    assert list(stage.noted.values()) == [1]


async def test_chat_answer_that_takes_too_long_is_asked_for_again(redis_url: str) -> None:
    """The request has a deadline; what is under way is not lost by it."""
    async with AzureRedisManager(url=redis_url) as manager:
        stage = ChatStage([manager], turn_timeout_s=-0.9)  # a request waits a second longer
        session_id = (await stage.chats[0].open(None))["session_id"]
        stage.gate.may_answer.clear()
        with pytest.raises(TurnInProgressError):
            await stage.chats[0].turn(session_id, "my card", key="k1")
        stage.gate.may_answer.set()
        await stage.runners[0].drain()
        reply = await stage.chats[0].turn(session_id, "my card", key="k1")
        assert reply["text"] == answer_to("my card")


async def test_chat_replies_with_an_apology_when_a_turn_breaks(stage: ChatStage) -> None:
    """A bug is not an empty answer (G6); the apology belongs to the turn that broke."""
    session_id = await stage.opened()
    stage.gate.crashes = 1
    reply = await stage.chats[0].turn(session_id, "my card", key="k1")
    assert reply["text"]
    assert answer_to("my card") not in reply["text"]
    assert await stage.chats[1].turn(session_id, "my card", key="k1") == reply
    healed = await stage.chats[0].turn(session_id, "my pin")
    assert healed["text"] == answer_to("my pin")
    assert await stage.chats[1].turn(session_id, "my card", key="k1") == reply


async def test_chat_refuses_an_agent_that_is_not_there(stage: ChatStage) -> None:
    """Told before a session is made of it, and not by a session that only ever apologises."""
    key = uuid.uuid4().hex
    with pytest.raises(AgentNotFoundError):
        await stage.chats[0].open(AgentName("nobody"), key=key)
    reply = await stage.chats[0].open(CONCIERGE, key=key)  # the key is still free
    assert reply["agent"] == CONCIERGE


async def test_chat_refuses_a_session_that_is_not_there(stage: ChatStage) -> None:
    """A mistyped or expired session is not begun anew."""
    with pytest.raises(SessionNotFoundError):
        await stage.chats[0].turn(SessionId(str(uuid.uuid4())), "hello")


async def test_chat_refuses_to_write_into_a_call(stage: ChatStage) -> None:
    """A caller would hear an answer to something they never said."""
    session_id = SessionId(str(uuid.uuid4()))
    offered = ev.CallOffered(EventId("offer"), CALLER, BANK, "ctx", "corr")
    await stage.runners[0].receive(session_id, offered, begins_session=True)
    await stage.runners[0].drain()
    with pytest.raises(ConflictError) as caught:
        await stage.chats[0].turn(session_id, "hello")
    assert not isinstance(caught.value, TurnInProgressError)
    visit = await stage.runners[0].look(session_id)
    assert [one for one in visit.transcript() if one["role"] == "user"] == []


async def test_chat_that_is_over_stays_over(stage: ChatStage) -> None:
    """After the end there is no next turn, and asking for one does not begin it."""
    session_id = await stage.opened()
    await stage.runners[0].receive(session_id, ev.HangUpRequested(EventId("end")))
    for _ in range(2):
        with pytest.raises(ConflictError) as caught:
            await stage.chats[0].turn(session_id, "hello")
        assert not isinstance(caught.value, TurnInProgressError)


async def test_chat_that_asks_for_a_person_is_answered(stage: ChatStage) -> None:
    """There is nobody to transfer a text to: the session goes on instead of hanging."""
    session_id = await stage.opened()
    reply = await stage.chats[0].turn(session_id, PERSON)
    assert reply["turn"] == 2
    assert (await stage.chats[0].turn(session_id, "my card"))["text"] == answer_to("my card")
    assert stage.phone.requests == {}

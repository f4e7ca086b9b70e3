"""Text sessions on the same flow as calls: a turn is an event in and a reply out."""

import secrets
from collections.abc import Container

from shared.calls.events import ChatOpened, TextReceived
from shared.calls.runner import CallRunner
from shared.calls.state import Channel, Phase
from shared.calls.visit import Visit
from shared.clock import Clock
from shared.errors import AgentNotFoundError, ConflictError, TurnInProgressError
from shared.state.session_ids import new_session_id, session_id_for
from shared.types import AgentName, EventId, Json, SessionId


class Chat:
    """Text sessions."""

    def __init__(
        self,
        runner: CallRunner,
        *,
        agents: Container[AgentName],
        clock: Clock,
        turn_timeout_s: float,
    ) -> None:
        self._runner = runner
        self._agents = agents
        self._clock = clock
        self._within_s = turn_timeout_s + 1.0  # the turn ends itself; this is for its last commit

    async def open(self, agent: AgentName | None, *, key: str | None = None) -> Json:
        """Open a session and return the greeting; the same *key* opens one session.

        Raises:
            AgentNotFoundError: There is no such agent.
        """
        if agent is not None and agent not in self._agents:
            raise AgentNotFoundError("agent: no agent of that name is defined")
        session_id = session_id_for(f"chat:{key}") if key else new_session_id(self._clock.now())
        opened = ChatOpened(EventId(f"opened:{session_id}"), agent)
        visit = await self._runner.receive(
            session_id, opened, begins_session=True, within_s=self._within_s
        )
        return _reply(visit, 1)

    async def turn(self, session_id: SessionId, text: str, *, key: str | None = None) -> Json:
        """Say *text* and return the reply; the same *key* gets the same reply, said once.

        Raises:
            SessionNotFoundError: There is no such session.
            TurnInProgressError: The session has not answered yet.
            ConflictError: The session is a call, or it is over.
        """
        event_id = EventId(f"text:{key or secrets.token_hex(16)}")
        event = TextReceived(event_id, text)
        visit = await self._runner.receive(session_id, event, within_s=self._within_s)
        asked = [one for one in visit.transcript() if one.get("event") == event_id]
        if asked:
            return _reply(visit, asked[0]["turn"])
        if visit.state.channel is Channel.CALL:
            raise ConflictError("the session is a call: it is spoken to, not written to")
        if visit.state.phase is Phase.ENDED:
            raise ConflictError("the session is over")
        raise TurnInProgressError("the session has not answered yet")


def _reply(visit: Visit, turn: int) -> Json:
    """What the agent said from *turn* on, until the other side wrote again.

    A turn that breaks is followed by one that apologises: both together are the reply.
    """
    messages = [one for one in visit.transcript() if one["turn"] >= turn]
    later = (one["turn"] for one in messages if one["role"] == "user" and one["turn"] > turn)
    end = min(later, default=visit.state.turn + 1)
    if visit.state.phase is Phase.THINKING and visit.state.turn < end:
        raise TurnInProgressError("the answer takes longer than expected: ask again")
    spoken = [
        one
        for one in messages
        if one["turn"] < end and one["role"] == "assistant" and one.get("content")
    ]
    return {
        "session_id": visit.session_id,
        "turn": turn,
        "agent": spoken[-1]["agent"] if spoken else visit.state.agent,
        "text": " ".join(one["content"] for one in spoken),
        "stages_ms": (visit.turn_record(turn) or {}).get("stages_ms", {}),
    }

"""Stand-ins for what a turn works with."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.agent.completions import Completion, TextDelta, ToolCall
from shared.agent.turn import TurnRequest
from shared.types import Json


class FakeClock:
    """A clock that moves when it is told to; `sleep` moves it."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0

    def now(self) -> datetime:
        """The wall clock."""
        return datetime(2026, 11, 22, 9, 0, tzinfo=UTC) + timedelta(seconds=self.elapsed_s)

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self.elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Move on."""
        self.elapsed_s += seconds
        await asyncio.sleep(0)


@dataclass
class FakeMemory:
    """A session's memory that stands in for `MemoManager`."""

    context: dict[str, Any] = field(default_factory=dict)
    threads: dict[str, list[Json]] = field(default_factory=dict)

    def get_context(self, key: str, default: Any = None) -> Any:
        """The value kept under *key*."""
        return self.context.get(key, default)

    def set_context(self, key: str, value: Any) -> None:
        """Keep *value*."""
        self.context[key] = value

    def get_history(self, agent: str) -> list[Json]:
        """The agent's messages."""
        return list(self.threads.get(agent, []))


def completion(*calls: ToolCall) -> Completion:
    """The end of a model call."""
    return Completion("tool_calls" if calls else "stop", calls, 10, 5, "model-1")


def call(name: str, arguments: str = "{}", call_id: str = "") -> ToolCall:
    """A tool call of the model's."""
    return ToolCall(call_id or f"id-{name}", name, arguments)


Part = str | Completion | Exception | asyncio.Event
"""Of a scripted model call: text, its end, a failure, or something to wait for."""


class FakeChatModel:
    """Answers model call after model call as scripted; remembers what it was asked."""

    def __init__(self, *rounds: Sequence[Part]) -> None:
        self.deployment = "fake"
        self._rounds = list(rounds)
        self.asked: list[list[Json]] = []
        self.offered: list[list[str]] = []
        self.deployments: list[str | None] = []
        self.closed = 0
        self.began = asyncio.Event()

    async def stream(
        self,
        messages: Sequence[Json],
        *,
        tools: Sequence[Json] = (),
        deployment: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        deadline_s: float,
    ) -> AsyncGenerator[TextDelta | Completion, None]:
        """The next scripted round."""
        self.began.set()
        self.deployments.append(deployment)
        self.asked.append([dict(one) for one in messages])
        self.offered.append([one["function"]["name"] for one in tools])
        try:
            for part in self._rounds.pop(0):
                if isinstance(part, asyncio.Event):
                    await part.wait()
                elif isinstance(part, Exception):
                    raise part
                else:
                    yield TextDelta(part) if isinstance(part, str) else part
        finally:
            self.closed += 1


class FakeToolbox:
    """Tools that answer as told; remembers what was run."""

    def __init__(self, results: Mapping[str, Json] | None = None) -> None:
        self._results = dict(results or {})
        self.ran: list[tuple[str, Json]] = []
        self.meet: asyncio.Barrier | None = None
        """Every tool waits here, to show that they run at the same time."""

    def offered(self, names: Sequence[str], *, channel: str) -> list[Json]:
        """All of them."""
        return [{"type": "function", "function": {"name": name}} for name in names]

    async def run(self, request: TurnRequest, name: str, arguments: Json) -> Json:
        """The result that was set."""
        self.ran.append((name, arguments))
        if self.meet is not None:
            await self.meet.wait()
        return self._results.get(name, {"success": True})

"""The model's answer to what the caller said: model calls, tools and handoffs until it is given."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from shared.agent import prompting
from shared.agent.completions import Completion, TextDelta, ToolCall
from shared.agent.loader import AgentDefinition, render_prompt
from shared.agent.sentences import SentenceCutter
from shared.agent.turn import (
    After,
    Finished,
    Handoff,
    Sentence,
    ToolFinished,
    ToolsRecorded,
    ToolStarted,
    TurnItem,
    TurnRequest,
)
from shared.clock import Clock
from shared.errors import UpstreamError, UpstreamTimeoutError
from shared.latency.stages import Stages
from shared.types import AgentName, Json

MAX_TOOL_CALLS = 8
MAX_HANDOFFS = 3


class ChatModel(Protocol):
    """A language model; `shared.agent.model` is one."""

    def stream(
        self,
        messages: Sequence[Json],
        *,
        tools: Sequence[Json] = (),
        deployment: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        deadline_s: float,
    ) -> AsyncGenerator[TextDelta | Completion, None]:
        """Deltas of text, then exactly one completion."""
        ...


class Toolbox(Protocol):
    """The tools an agent may use."""

    def offered(self, names: Sequence[str], *, channel: str) -> list[Json]:
        """The tools in the form in which the model is told of them."""
        ...

    async def run(self, request: TurnRequest, name: str, arguments: Json) -> Json:
        """Run a tool; failures and refusals are results too."""
        ...


@dataclass(frozen=True, slots=True)
class _Reply:
    """What is left of a model call when it has ended."""

    text: str
    """The last sentence, not handed out yet; may be empty."""
    calls: tuple[ToolCall, ...]


class Answer:
    """One answer in the making."""

    def __init__(
        self,
        request: TurnRequest,
        agents: Mapping[AgentName, AgentDefinition],
        model: ChatModel,
        toolbox: Toolbox,
        clock: Clock,
        stages: Stages,
    ) -> None:
        self.agent = request.agent
        self._request = request
        self._agents = agents
        self._model = model
        self._toolbox = toolbox
        self._clock = clock
        self._stages = stages
        self._tool_calls = 0
        self._handoffs = 0
        self._has_spoken = False
        self._finish = Finished("")
        self._usage: Json = {"model": "", "input_tokens": 0, "output_tokens": 0}

    async def items(self, deadline_s: float) -> AsyncGenerator[TurnItem, None]:
        """The turn's items; raises `UpstreamError` when there is no answer."""
        ends_at = self._clock.monotonic() + deadline_s
        while True:
            left_s = ends_at - self._clock.monotonic()
            if left_s <= 0:
                raise UpstreamTimeoutError("the turn took too long")
            reply = _Reply("", ())
            async with aclosing(self._model_call(left_s)) as parts:
                async for part in parts:
                    if isinstance(part, Sentence):
                        self._has_spoken = True
                        yield part
                    else:
                        reply = part
            if not reply.calls:
                yield self._finished(reply.text)
                return
            if reply.text:
                self._has_spoken = True
                yield Sentence(reply.text)
            async with aclosing(self._use_tools(reply.calls)) as items:
                async for item in items:
                    yield item

    async def _model_call(self, deadline_s: float) -> AsyncGenerator["Sentence | _Reply", None]:
        """Sentences that are followed by another one, then the rest of the reply.

        The last sentence of a turn is spoken as the prompt that the caller may interrupt, all
        others are not: a sentence is handed out when the first letter of the next one is there.
        """
        agent = self._agents[self.agent]
        cutter, held, has_begun = SentenceCutter(), "", False
        stream = self._model.stream(
            self._messages(agent),
            tools=self._offered(agent),
            deployment=agent.model.deployment,
            temperature=agent.model.temperature,
            max_tokens=agent.model.max_tokens,
            deadline_s=deadline_s,
        )
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                if isinstance(delta, Completion):
                    self._stages.reached("llm_last_token")
                    self._count(delta)
                    if (rest := cutter.flush()) and held:
                        yield Sentence(held)
                    yield _Reply(rest or held, delta.tool_calls)
                    return
                if not has_begun:
                    self._stages.reached("llm_first_token")
                    has_begun = True
                for sentence in cutter.feed(delta.text):
                    if held:
                        yield Sentence(held)
                    held = sentence
                if held and cutter.has_more:
                    yield Sentence(held)
                    held = ""

    def _messages(self, agent: AgentDefinition) -> list[Json]:
        request, memory = self._request, self._request.memory
        handoff = memory.get_context("handoff")
        variables = {
            **prompting.line_variables(agent.name, request),
            "is_authenticated": bool(memory.get_context("authenticated", False)),
            "client_id": memory.get_context("client_id"),
            "channel": "phone" if request.channel == "call" else "chat",
            "handoff": handoff if handoff and handoff.get("to") == agent.name else None,
            "today": self._clock.now().strftime("%A, %d %B %Y"),
        }
        return prompting.chat_messages(
            render_prompt(agent, variables),
            memory.get_history(agent.name),
            turn=request.turn,
            utterance=request.cue.text,
        )

    def _offered(self, agent: AgentDefinition) -> list[Json]:
        # Once the call goes to a person, or the limit is reached, all that is left is to answer.
        if self._tool_calls >= MAX_TOOL_CALLS or self._finish.after is not After.LISTEN:
            return []
        return self._toolbox.offered(agent.tools, channel=self._request.channel)

    # --- tools --------------------------------------------------------------------------------

    async def _use_tools(self, calls: Sequence[ToolCall]) -> AsyncGenerator[TurnItem, None]:
        """Run the tools of one model call at the same time, then act on what they ask for."""
        for call in calls:
            yield ToolStarted(call.name)
        timed = await asyncio.gather(*(self._timed(call) for call in calls))
        self._stages.reached("tools")
        results = []
        for call, (result, duration_ms) in zip(calls, timed, strict=True):
            yield ToolFinished(call.name, bool(result.get("success")), duration_ms)
            results.append((call, result))
        target = self._target_of([result for _, result in results])
        asked = prompting.assistant_calls([(one.id, one.name, one.arguments) for one in calls])
        # Whom to connect is between the tool and us: the model has no use for the number.
        answers = (
            prompting.tool_result(call.id, {k: v for k, v in result.items() if k != "transfer"})
            for call, result in results
        )
        yield ToolsRecorded((asked, *answers))
        if target is not None:
            self.agent = target
            yield Handoff(target)

    async def _timed(self, call: ToolCall) -> tuple[Json, float]:
        started_at = self._clock.monotonic()
        result = await self._run(call)
        return result, (self._clock.monotonic() - started_at) * 1000

    async def _run(self, call: ToolCall) -> Json:
        self._tool_calls += 1
        if self._tool_calls > MAX_TOOL_CALLS:
            return _refusal("limit_reached", "No more tools: answer with what is known.")
        if call.name not in self._agents[self.agent].tools:
            return _refusal("unknown_tool", "There is no such tool.")
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError:
            return _refusal("invalid_arguments", "The arguments are not valid JSON.")
        if not isinstance(arguments, dict):
            return _refusal("invalid_arguments", "The arguments are not a JSON object.")
        return await self._toolbox.run(self._request, call.name, arguments)

    def _target_of(self, results: Sequence[Json]) -> AgentName | None:
        """Note a transfer or a voicemail; return the agent that takes over, with a note left."""
        for result in results:
            if result.get("success") and "transfer" in result:
                target, others = result["transfer"]["target"], result["transfer"]["next"]
                following = tuple(f"4:{one}" for one in others)
                self._finish = Finished("", After.TRANSFER, f"4:{target}", following)
            elif result.get("success") and result.get("voicemail_requested"):
                self._finish = Finished("", After.VOICEMAIL)
        asked = [one for one in results if one.get("success") and one.get("handoff")]
        if not asked or self._handoffs >= MAX_HANDOFFS:
            return None
        target = AgentName(asked[0]["target_agent"])
        edges = {edge.to for edge in self._agents[self.agent].handoffs}
        if target not in edges or target not in self._agents:
            raise UpstreamError("a tool asked for a handoff that the agent does not have")
        self._handoffs += 1
        self._request.memory.set_context(
            "handoff",
            {
                "to": target,
                "from_agent": self.agent,
                "caller_said": self._request.cue.text,
                **asked[0].get("handoff_context", {}),
            },
        )
        return target

    # --- words --------------------------------------------------------------------------------

    def _finished(self, text: str) -> Finished:
        if not text and not self._has_spoken:
            raise UpstreamError("the model answered nothing")
        return replace(self._finish, text=text, usage=self._usage)

    def _count(self, completion: Completion) -> None:
        self._usage["model"] = completion.model
        self._usage["input_tokens"] += completion.input_tokens
        self._usage["output_tokens"] += completion.output_tokens


def _refusal(error: str, message: str) -> Json:
    return {"success": False, "error": error, "message": message}

"""The model's answer to what the caller said: model calls, tools and handoffs until it is given."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from shared.agent import prompting
from shared.agent.completions import Completion, TextDelta, ToolCall
from shared.agent.ending import ending_of, keep_ending
from shared.agent.loader import AgentDefinition, render_prompt
from shared.agent.observation import AnswerObserver
from shared.agent.passing import Passing, arguments_of, name_targets, refused
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
from shared.agent.usage import usage_with
from shared.clock import Clock
from shared.errors import UpstreamError, UpstreamTimeoutError
from shared.latency.stages import Stages
from shared.telemetry.tracing import within
from shared.types import AgentName, Json

MAX_TOOL_CALLS = 8


class ChatModel(Protocol):
    """A language model; `shared.agent.model` is one."""

    @property
    def deployment(self) -> str:
        """Who answers where nobody else is asked for."""
        ...

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
        self._passing = Passing(request, agents)
        self._request = request
        self._agents = agents
        self._model = model
        self._toolbox = toolbox
        self._clock = clock
        self._stages = stages
        self.observer = AnswerObserver(request.session_id, clock.monotonic)
        self._tools: list[str] = []
        self._tool_calls = 0
        self._has_spoken = False
        self._finish = ending_of(request)
        self.usage: Json = {}

    @property
    def agent(self) -> AgentName:
        """Who answers now."""
        return self._passing.agent

    async def items(self, deadline_s: float) -> AsyncGenerator[TurnItem, None]:
        """The turn's items; raises `UpstreamError` when there is no answer."""
        ends_at = self._clock.monotonic() + deadline_s
        if self._passing.resume():
            yield Handoff(self.agent)
        while True:
            left_s = ends_at - self._clock.monotonic()
            if left_s <= 0:
                raise UpstreamTimeoutError("the turn took too long")
            introduction = self._passing.introduction()
            if introduction is not None:
                if introduction.is_all:
                    yield self._finished(introduction.text)
                    return
                self._has_spoken = True
                yield Sentence(introduction.text)
            async with aclosing(self._round(left_s)) as items:
                async for item in items:
                    yield item
                    if isinstance(item, Finished):
                        return

    async def _round(self, deadline_s: float) -> AsyncGenerator[TurnItem, None]:
        """One model call and the tools it asks for; ends with `Finished` if it asks for none."""
        reply = _Reply("", ())
        async with aclosing(self._model_call(deadline_s)) as parts:
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
        tools = self._usable(agent)
        stream = self._model.stream(
            self._messages(agent),
            tools=tools if self._may_use_tools() else [],
            deployment=agent.model.deployment,
            temperature=agent.model.temperature,
            max_tokens=agent.model.max_tokens,
            deadline_s=deadline_s,
        )
        model = agent.model.deployment or self._model.deployment
        with self.observer.request(model, agent.name) as request:
            async with aclosing(stream) as deltas:
                async for delta in deltas:
                    if isinstance(delta, Completion):
                        self._stages.reached("llm_last_token")
                        self._count(delta)
                        request.completed(delta)
                        if (rest := cutter.flush()) and held:
                            yield Sentence(held)
                        yield _Reply(rest or held, delta.tool_calls)
                        return
                    if not has_begun:
                        self._stages.reached("llm_first_token")
                        request.first_chunk()
                        has_begun = True
                    for sentence in cutter.feed(delta.text):
                        if held:
                            yield Sentence(held)
                        held = sentence
                    if held and cutter.has_more:
                        yield Sentence(held)
                        held = ""

    def _messages(self, agent: AgentDefinition) -> list[Json]:
        request = self._request
        return prompting.chat_messages(
            render_prompt(
                agent,
                prompting.prompt_variables(
                    agent, request, tools=self._tools, now=self._clock.now()
                ),
            ),
            request.memory.get_history(agent.name),
            turn=request.turn,
            utterance=request.cue.text,
            passed_on=prompting.words_passed_on(agent.name, request.memory),
        )

    def _usable(self, agent: AgentDefinition) -> list[Json]:
        """The agent's tools as the model is told of them; in a chat, those that need no phone."""
        usable = self._toolbox.offered(agent.tools, channel=self._request.channel)
        self._tools = [tool["function"]["name"] for tool in usable]
        return [name_targets(tool, agent) for tool in usable]

    def _may_use_tools(self) -> bool:
        # Once the call goes to a person, or the limit is reached, all that is left is to answer.
        return self._tool_calls < MAX_TOOL_CALLS and self._finish.after is After.LISTEN

    # --- tools --------------------------------------------------------------------------------

    async def _use_tools(self, calls: Sequence[ToolCall]) -> AsyncGenerator[TurnItem, None]:
        """Run the tools of one model call at the same time, then act on what they ask for."""
        for call in calls:
            yield ToolStarted(call.name)
        timed = await asyncio.gather(*(self._timed(call) for call in calls))
        self._stages.reached("tools")
        for call, (result, duration_ms) in zip(calls, timed, strict=True):
            yield ToolFinished(call.name, bool(result.get("success")), duration_ms)
        results = [(call, result) for call, (result, _) in zip(calls, timed, strict=True)]
        self._note_ending(results)
        results, target = self._passing.decide(
            results, may_switch=self._finish.after is After.LISTEN
        )
        asked = prompting.assistant_calls([(one.id, one.name, one.arguments) for one in calls])
        answers = (prompting.tool_result(call.id, result) for call, result in results)
        yield ToolsRecorded((asked, *answers))
        if target is not None:
            yield Handoff(target)

    async def _timed(self, call: ToolCall) -> tuple[Json, float]:
        started_at = self._clock.monotonic()
        with within(self.observer.part):
            result = await self._run(call)
        return result, (self._clock.monotonic() - started_at) * 1000

    async def _run(self, call: ToolCall) -> Json:
        self._tool_calls += 1
        if self._tool_calls > MAX_TOOL_CALLS:
            return refused("limit_reached", "No more tools: answer with what is known.")
        agent = self._agents[self.agent]
        if call.name not in self._tools:
            return refused("unknown_tool", "There is no such tool.")
        arguments = arguments_of(call)
        if isinstance(arguments, str):
            return refused("invalid_arguments", arguments)
        refusal = self._passing.refusal(call.name, arguments)
        if refusal is not None:
            return refusal
        return await self._toolbox.run(
            replace(self._request, agent=agent.name), call.name, arguments
        )

    def _note_ending(self, results: Sequence[tuple[ToolCall, Json]]) -> None:
        """Note a transfer or a voicemail: what follows when the agent has finished speaking."""
        for _, result in results:
            if result.get("success") and "transfer" in result:
                target, others = result["transfer"]["target"], result["transfer"]["next"]
                following = tuple(f"4:{one}" for one in others)
                self._finish = Finished("", After.TRANSFER, f"4:{target}", following)
            elif result.get("success") and result.get("voicemail_requested"):
                self._finish = Finished("", After.VOICEMAIL)
        if self._finish.after is not After.LISTEN:
            keep_ending(self._request, self._finish)

    # --- words --------------------------------------------------------------------------------

    def _finished(self, text: str) -> Finished:
        if not text and not self._has_spoken:
            raise UpstreamError("the model answered nothing")
        return replace(self._finish, text=text, usage=self.usage)

    def _count(self, completion: Completion) -> None:
        self.usage = usage_with(self.usage, completion)

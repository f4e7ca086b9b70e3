"""A turn: a cue in, sentences out.

The turn keeps time: a filler when it has been quiet for too long, a canned sentence when the model
fails or the deadline passes. What the model says and does is in `answer.py`.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

from shared.agent.answer import Answer, ChatModel, Toolbox
from shared.agent.ending import ending_of
from shared.agent.loader import AgentDefinition, render_line
from shared.agent.prompting import greeting_variables
from shared.agent.templates import TemplateInvalidError
from shared.agent.turn import After, CueKind, Finished, Sentence, TurnItem, TurnRequest
from shared.clock import Clock
from shared.errors import AgentNotFoundError, AppError, UpstreamTimeoutError
from shared.latency.stages import Stages
from shared.telemetry.logs import get_logger
from shared.types import AgentName

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnLimits:
    """How long a turn may take."""

    filler_after_s: float = 1.5
    """Quiet for so long: say a filler."""
    first_sentence_s: float = 4.0
    """Still no sentence of the model's: say another filler."""
    turn_s: float = 15.0
    """Then the turn has failed."""


LAST_RESORT = "Sorry, something went wrong on our side. How can I help you?"
"""Said in the place of a line that cannot be written although it could when it was loaded."""

_AFTER = {CueKind.GOODBYE: After.HANG_UP, CueKind.TRANSFER_NEXT: After.TRANSFER}
"""What follows a canned line, where it is not the caller's turn to speak."""


class Conversation:
    """Runs turns. Keeps nothing between them: what lasts is in the session."""

    def __init__(
        self,
        *,
        model: ChatModel,
        agents: Mapping[AgentName, AgentDefinition],
        toolbox: Toolbox,
        clock: Clock,
        limits: TurnLimits,
    ) -> None:
        self._model = model
        self._agents = agents
        self._toolbox = toolbox
        self._clock = clock
        self._limits = limits

    async def run(self, request: TurnRequest, stages: Stages) -> AsyncGenerator[TurnItem, None]:
        """Run a turn; the last item is `Finished`.

        The consumer keeps each item in the session before it asks for the next: the model is shown
        what the session remembers. A turn that was begun elsewhere is taken up where it stands.
        """
        agent = self._agents.get(request.agent)
        if agent is None:
            raise AgentNotFoundError("the session names an agent that is not defined")
        if request.cue.kind not in (CueKind.UTTERANCE, CueKind.TONES):
            yield self._canned(agent, request)
            return
        has_spoken = False
        answer = Answer(request, self._agents, self._model, self._toolbox, self._clock, stages)
        try:
            with answer.observer:
                async with aclosing(self._paced(answer)) as items:
                    async for item in items:
                        if isinstance(item, Sentence | Finished) and not has_spoken:
                            stages.reached("first_sentence")
                            has_spoken = True
                        yield item
        except AppError as error:
            logger.warning("turn degraded", extra={"error": error.code, "turn": request.turn})
            ending = self._ladder(self._agents[answer.agent], request)
            yield replace(ending, usage=answer.usage)

    async def _paced(self, answer: Answer) -> AsyncGenerator[TurnItem, None]:
        """Pass the items of *answer* on, break long silences, end it at the deadline."""
        answered = answer.items(self._limits.turn_s)
        started_at = self._clock.monotonic()
        moments = [self._limits.filler_after_s, self._limits.first_sentence_s, self._limits.turn_s]
        said = 0
        pending = asyncio.ensure_future(anext(answered, None))
        try:
            while True:
                spent_s = self._clock.monotonic() - started_at
                await asyncio.wait({pending}, timeout=max(0.0, moments[0] - spent_s))
                if not pending.done():
                    if len(moments) == 1:
                        raise UpstreamTimeoutError("the turn took too long")
                    moments.pop(0)
                    fillers = self._agents[answer.agent].lines.fillers
                    if said < len(fillers):
                        said += 1
                        yield Sentence(fillers[said - 1])
                    continue
                item = pending.result()
                if item is None:
                    return
                if isinstance(item, Sentence):
                    moments = moments[-1:]  # not quiet any more: only the deadline is left
                yield item
                pending = asyncio.ensure_future(anext(answered, None))
        finally:
            pending.cancel()
            await asyncio.wait({pending})
            await answered.aclose()

    def _canned(self, agent: AgentDefinition, request: TurnRequest) -> Finished:
        """Answer a cue that needs no model."""
        history = request.memory.get_history(request.agent)
        if any(one.get("turn") == request.turn and one["role"] == "assistant" for one in history):
            return Finished("")  # said by the instance that began this turn
        lines, cue = agent.lines, request.cue
        match cue.kind:
            case CueKind.GREETING:
                template = agent.greeting
            case CueKind.SILENCE:
                template = lines.reprompts[min(cue.count, len(lines.reprompts)) - 1]
            case kind:
                template = getattr(lines, kind)
        after = _AFTER.get(cue.kind, After.LISTEN)
        return Finished(_spoken(template, agent.name, request), after)

    def _ladder(self, agent: AgentDefinition, request: TurnRequest) -> Finished:
        """What to say when there is no answer: apologise, offer a person, say goodbye.

        What a tool has already asked for is still done: the history says that it was.
        """
        lines, ending = agent.lines, ending_of(request)
        if ending.after is not After.LISTEN:
            return replace(ending, text=lines.fillers[0], is_degraded=True)
        rungs = [
            (lines.trouble, After.LISTEN),
            (lines.offer_human, After.LISTEN),
            (lines.goodbye, After.HANG_UP),
        ]
        template, after = rungs[min(request.failures, len(rungs) - 1)]
        return Finished(_spoken(template, agent.name, request), after, is_degraded=True)


def _spoken(template: str, agent: AgentName, request: TurnRequest) -> str:
    """A line as it is said; one that fails all the same is replaced, never spoken raw."""
    try:
        return render_line(template, greeting_variables(agent, request, is_continued=False))
    except TemplateInvalidError as error:
        logger.error("line not spoken", extra={"agent": agent, "error": str(error)})
        return LAST_RESORT

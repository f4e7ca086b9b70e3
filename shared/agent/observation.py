"""What is told of one request to the model: a span and measurements, by OpenTelemetry's names."""

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from shared.agent.completions import Completion
from shared.telemetry import names
from shared.telemetry.metrics import MODEL_DURATION, MODEL_FIRST_TOKEN, TOKENS, record
from shared.telemetry.tracing import NO_SPAN, Attributes, Kind, Span, span
from shared.types import AgentName, SessionId


class ObservedRequest:
    """One request to a model, from the question to the last piece of the reply."""

    def __init__(
        self,
        model: str,
        agent: AgentName,
        session_id: SessionId,
        monotonic: Callable[[], float],
        part_of: Span,
    ) -> None:
        self._monotonic = monotonic
        self._started_at = monotonic()
        facts: Attributes = {
            names.GEN_AI_OPERATION: names.SPAN_CHAT,
            names.GEN_AI_PROVIDER: names.AZURE_OPENAI,
            names.GEN_AI_SYSTEM: names.AZURE_OPENAI,
            names.GEN_AI_REQUEST_MODEL: model,
            names.GEN_AI_AGENT: agent,
            names.GEN_AI_CONVERSATION: session_id,
            names.PEER: names.PEER_MODEL,
        }
        name = f"{names.SPAN_CHAT} {model}"
        self._span = span(name, facts, kind=Kind.CLIENT, parent=part_of, is_current=False)
        self._labels = {"gen_ai.operation.name": names.SPAN_CHAT, "gen_ai.request.model": model}

    def __enter__(self) -> Self:
        self._span.__enter__()
        self._started_at = self._monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._span.__exit__(kind, error, traceback)

    def first_chunk(self) -> None:
        """The first piece of text is there."""
        spent_s = self._monotonic() - self._started_at
        self._span.set(names.GEN_AI_FIRST_CHUNK_S, round(spent_s, 6))
        record(MODEL_FIRST_TOKEN, spent_s, self._labels)

    def completed(self, completion: Completion) -> None:
        """The reply is there."""
        self._span.set(names.GEN_AI_RESPONSE_MODEL, completion.model)
        self._span.set(names.GEN_AI_FINISH_REASONS, completion.finish_reason)
        self._span.set(names.GEN_AI_INPUT_TOKENS, completion.input_tokens)
        self._span.set(names.GEN_AI_OUTPUT_TOKENS, completion.output_tokens)
        record(MODEL_DURATION, self._monotonic() - self._started_at, self._labels)
        for sort, count in (
            ("input", completion.input_tokens),
            ("output", completion.output_tokens),
        ):
            record(TOKENS, count, {**self._labels, "gen_ai.token.type": sort})


class AnswerObserver:
    """Spans of one answer: each agent's part in it, and the model requests and tools within.

    Entered for the whole answer. An answer is an asynchronous generator, so its spans are never
    current: what is within them is told so.
    """

    def __init__(self, session_id: SessionId, monotonic: Callable[[], float]) -> None:
        self._session_id = session_id
        self._monotonic = monotonic
        self._open = ExitStack()
        self._agent: AgentName | None = None
        self.part: Span = NO_SPAN
        """The part of the agent who answers now."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def request(self, model: str, agent: AgentName) -> ObservedRequest:
        """A request to the model; with another agent than before, a new part begins."""
        if agent != self._agent:
            self._open.close()
            self.part = self._open.enter_context(self._part_of(agent))
            self._agent = agent
        return ObservedRequest(model, agent, self._session_id, self._monotonic, self.part)

    def _part_of(self, agent: AgentName) -> Span:
        facts: Attributes = {
            names.GEN_AI_OPERATION: names.SPAN_AGENT,
            names.GEN_AI_PROVIDER: names.AZURE_OPENAI,
            names.GEN_AI_AGENT: agent,
            names.GEN_AI_CONVERSATION: self._session_id,
            **({names.HANDOFF_FROM: self._agent} if self._agent else {}),
        }
        return span(f"{names.SPAN_AGENT} {agent}", facts, is_current=False)

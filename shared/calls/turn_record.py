"""What a turn did and where its time went, as it is kept with the session."""

from shared.agent.turn import Finished, ToolFinished
from shared.calls.commands import RunTurn
from shared.latency.stages import Stages
from shared.speech.rendition import Allocation
from shared.types import Json


def turn_key(turn: int | str) -> str:
    """The context key under which a turn's record is kept."""
    return f"turn:{turn}"


class TurnRecord:
    """Grows while the turn runs; the same turn taken over elsewhere begins a new one."""

    def __init__(self, command: RunTurn, stages: Stages) -> None:
        self.turn = command.turn
        self._stages = stages
        self._facts: Json = {
            "turn": command.turn,
            "cue": command.cue.kind,
            "agent": command.agent,
            "tools": [],
            "speech": [],
        }

    def tool_finished(self, item: ToolFinished) -> None:
        """Note a tool."""
        self._facts["tools"].append(
            {"name": item.name, "ok": item.is_success, "ms": round(item.duration_ms, 1)}
        )

    def spoke(self, allocation: Allocation) -> None:
        """Note how a synthesizer was come by, and how fast it spoke."""
        self._facts["speech"].append(allocation.as_json())

    def finished(self, item: Finished) -> None:
        """Note how the turn ended."""
        self._facts |= {"degraded": item.is_degraded, "after": item.after, "usage": item.usage}

    def heard(self) -> None:
        """The first words are accepted for playing: the caller's silence, as far as we see it."""
        self._stages.close("speak_accepted")

    def as_json(self) -> Json:
        """The record: ``silence_ms`` is the sum of ``stages_ms``, from event to first words."""
        return {
            **self._facts,
            "silence_ms": self._stages.total_ms,
            "stages_ms": self._stages.spent_ms(),
            "waterfall": self._stages.parts_ms(),
        }

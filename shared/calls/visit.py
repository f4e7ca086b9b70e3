"""What one process knows of a session while it works on it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from shared.calls.codec import decode_state
from shared.calls.commands import Command, RunTurn
from shared.calls.meter import usage_key
from shared.calls.state import CallState
from shared.calls.turn_record import TurnRecord, turn_key
from shared.cost.prices import Prices, cost_report
from shared.errors import SessionNotFoundError
from shared.latency.stages import Stages
from shared.speech.rendition import Allocation
from shared.state.memo import MemoManager
from shared.state.store import Loaded, Pending, SessionStore
from shared.types import CommandId, Json, SessionId


class EventOutcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    """It had been applied before."""
    STALE = "stale"
    """It means nothing where the session stands."""


@dataclass(frozen=True, slots=True)
class Owned:
    """A command that is ours to do, as long as nobody has a higher fence."""

    command: Command
    fence: int


class Visit:
    """A working copy of a session: one request, or one command with all that follows from it.

    It is right until somebody else commits; then the commit is refused and it is loaded again.
    """

    memo: MemoManager
    state: CallState

    def __init__(
        self, session_id: SessionId, monotonic: Callable[[], float], received_at: float
    ) -> None:
        self.session_id = session_id
        self._monotonic = monotonic
        self.stages = Stages(monotonic, started_at=received_at)
        self._billed_at = received_at
        self.version = 0
        self.expired: tuple[Pending, ...] = ()
        self._lease_ends: dict[CommandId, float] = {}
        self.is_seen = False
        self.is_outdated = True
        self.outcome = EventOutcome.STALE
        """Of the last event applied in this visit."""
        self.turn: TurnRecord | None = None

    def take(self, loaded: Loaded, fresh: CallState | None = None) -> None:
        """Take what the store has, *fresh* for a session that it does not have yet.

        Unsaved changes to the memory are kept.

        Raises:
            SessionNotFoundError: There is none, and none may begin.
        """
        if loaded.call is not None:
            state = decode_state(loaded.call)
        elif fresh is not None:
            state = fresh
        else:
            raise SessionNotFoundError("there is no such session, or it has expired")
        self.state = state
        if hasattr(self, "memo"):
            self.memo.rebase(loaded.memo)
        else:
            self.memo = loaded.memo
        self.version = loaded.version
        self.expired = tuple(one for one in loaded.outbox if one.is_expired)
        now = self._monotonic()
        self._lease_ends = {one.command_id: now + one.lease_left_s for one in loaded.outbox}
        self.is_seen = loaded.is_seen
        self.is_outdated = False

    def lease_left_s(self, open_commands: Iterable[CommandId], renewed: float) -> float:
        """Seconds until the first lease of *open_commands* ends; one not known here is new."""
        now = self._monotonic()
        ends = (self._lease_ends.get(one, now + renewed) for one in open_commands)
        return min(ends, default=now + renewed) - now

    def accept(
        self, state: CallState, version: int, ours: Iterable[CommandId], lease_s: float
    ) -> None:
        """Take over what was committed; the leases of *ours* begin anew."""
        self._lease_ends |= dict.fromkeys(ours, self._monotonic() + lease_s)
        self._billed_at = self._monotonic()
        self.state = state
        self.version = version
        self.expired = ()
        self.is_seen = False

    def busy_ms(self) -> int:
        """How long this process has worked on the session since its last commit."""
        return round((self._monotonic() - self._billed_at) * 1000)

    def cost(self, prices: Prices) -> Json:
        """What the session has cost so far, and each of its turns."""
        return cost_report(prices, self.state.meter.total, self.usage_by_turn())

    def usage_by_turn(self) -> dict[int, dict[str, int]]:
        """What each turn has used."""
        kept = (
            (turn, self.memo.get_context(usage_key(turn))) for turn in range(self.state.turn + 1)
        )
        return {turn: usage for turn, usage in kept if usage}

    def summary(self) -> Json:
        """Where the session stands, without a word of what was said."""
        state = self.state
        return {
            "session_id": state.session_id,
            "channel": state.channel,
            "phase": state.phase,
            "agent": state.agent,
            "turn": state.turn,
            "is_outbound": state.is_outbound,
            "outcome": state.outcome,
            "call_connection_id": state.call_connection_id,
        }

    def details(self) -> Json:
        """The summary, what the session knows, and its turns with where their time went."""
        context = {
            key: value
            for key, value in self.memo.context.items()
            if not key.startswith((turn_key(""), usage_key("")))
        }
        return {**self.summary(), "context": context, "turns": self.turn_records()}

    def transcript(self) -> list[Json]:
        """Every message of the session in order, each with its ``agent``."""
        messages = [
            {"agent": agent, **message}
            for agent, history in self.memo.histories.items()
            for message in history
        ]
        return sorted(messages, key=lambda one: one.get("n", 0))

    def turn_records(self) -> list[Json]:
        """The records of all turns that have one, in order."""
        records = (self.turn_record(turn) for turn in range(1, self.state.turn + 1))
        return [one for one in records if one]

    def turn_record(self, turn: int) -> Json | None:
        """What a turn did and where its time went; see `turn_record.py`."""
        record: Json | None = self.memo.get_context(turn_key(turn))
        return record

    # --- the record of the turn, saved with the commits that are made anyway ------------------

    def begin_turn(self, command: RunTurn) -> TurnRecord:
        """A turn begins in this visit."""
        self.turn = TurnRecord(command, self.stages)
        return self.turn

    def first_words_accepted(self) -> None:
        """Something of the turn will be heard; what comes later does not matter here."""
        if self.turn is not None and not self.stages.is_closed:
            self.turn.heard()
            self.note_turn()

    def spoke(self, allocation: Allocation) -> None:
        """A sentence was made into sound, by a synthesizer come by like that."""
        self.stages.reached("speech")
        if self.turn is not None:
            self.turn.spoke(allocation)
            self.note_turn()

    def note_turn(self) -> None:
        """Keep the turn's record with the session."""
        if self.turn is not None:
            self.memo.set_context(turn_key(self.turn.turn), self.turn.as_json())


async def look(store: SessionStore, session_id: SessionId, monotonic: Callable[[], float]) -> Visit:
    """Read a session and change nothing; raises `SessionNotFoundError`."""
    visit = Visit(session_id, monotonic, monotonic())
    visit.take(await store.load(session_id))
    visit.stages.reached("memo_load")
    return visit

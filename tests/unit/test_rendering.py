"""How the executor lets a text be heard: as a sound file, or by ACS."""

from dataclasses import replace

import pytest

from shared.agent.turn import Cue, CueKind
from shared.calls.commands import Command, Listen, RunTurn, Speak
from shared.calls.events import CommandDone, Party
from shared.calls.executor import CommandExecutor
from shared.calls.state import CallState
from shared.calls.visit import Owned, Visit
from shared.speech.rendition import Rendition
from shared.speech.voices import Voice
from shared.state.memo import MemoManager
from shared.types import AgentName, CallConnectionId, CommandId, Json, SessionId
from tests.unit.fakes import FakeClock
from tests.unit.speech_fakes import AVA, COLD

SESSION, AGENT = SessionId("s-1"), AgentName("concierge")
URL = "https://app/1.wav"
SPEAK = Speak(CommandId("speak-1"), AGENT, "One moment, please.")
LISTEN = Listen(CommandId("listen-1"), AGENT, "How can I help?", Party("4:+15551230000"))


class FakeRenderer:
    """Renders as it is told to."""

    def __init__(self, rendition: Rendition | None, clock: FakeClock) -> None:
        self.rendition = rendition
        self.clock = clock
        self.asked: list[tuple[str, Voice, str]] = []
        self.distrusted = 0

    async def render(self, text: str, voice: Voice, *, session_id: str) -> Rendition | None:
        """What there is, after 100 ms."""
        self.asked.append((text, voice, session_id))
        self.clock.elapsed_s += 0.1
        return self.rendition

    def distrust(self) -> None:
        """Note it."""
        self.distrusted += 1


class FakeTelephony:
    """Notes what it is given to say."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str | None]] = []

    async def speak(
        self, call: CallConnectionId, command: Speak, voice: Voice, sound_url: str | None = None
    ) -> None:
        """Queue a sentence."""
        self.heard.append((command.text, sound_url))

    async def listen(
        self, call: CallConnectionId, command: Listen, voice: Voice, sound_url: str | None = None
    ) -> None:
        """Queue a prompt."""
        self.heard.append((command.text, sound_url))


class Stage:
    """An executor in the middle of a turn."""

    def __init__(
        self, rendition: Rendition | None = None, *, cue: CueKind = CueKind.UTTERANCE
    ) -> None:
        self.clock = FakeClock()
        self.renderer = FakeRenderer(rendition, self.clock)
        self.telephony = FakeTelephony()
        self.visit = Visit(SESSION, self.clock.monotonic, 0.0)
        self.visit.memo = MemoManager(SESSION)
        state = CallState(session_id=SESSION, agent=AGENT)
        self.visit.state = replace(state, turn=1, cue=cue)
        self.visit.begin_turn(RunTurn(CommandId("runturn-1"), 1, AGENT, Cue(cue)))

    async def do(self, command: Command, *, has_renderer: bool = True) -> None:
        """Do *command*."""
        executor = CommandExecutor(
            telephony=self.telephony,  # type: ignore[arg-type]
            turns=None,  # type: ignore[arg-type]
            voice_of=lambda _: AVA,
            renderer=self.renderer if has_renderer else None,
        )
        events = [one async for one in executor.execute(self.visit, Owned(command, 1))]
        assert isinstance(events[-1], CommandDone)

    @property
    def record(self) -> Json:
        """What is kept of the turn."""
        record = self.visit.turn_record(1)
        assert record is not None
        return record


@pytest.mark.parametrize("command", [SPEAK, LISTEN])
async def test_executor_lets_a_file_be_heard_where_there_is_one(command: Speak | Listen) -> None:
    """The prompt of a Listen is rendered as a Speak is, in the agent's voice."""
    stage = Stage(Rendition(URL))
    await stage.do(command)
    assert stage.telephony.heard == [(command.text, URL)]
    assert stage.renderer.asked == [(command.text, AVA, SESSION)]


@pytest.mark.parametrize("has_renderer", [True, False])
async def test_executor_lets_acs_speak_where_there_is_no_file(has_renderer: bool) -> None:
    """The ladder's next rung: the call goes on with the same words."""
    stage = Stage(None)
    await stage.do(SPEAK, has_renderer=has_renderer)
    assert stage.telephony.heard == [(SPEAK.text, None)]
    assert stage.record["speech"] == []


async def test_executor_keeps_how_fast_it_was_with_the_turn() -> None:
    """Every allocation is in the record, and its time among the stages, which sum to the whole."""
    stage = Stage(Rendition(URL, COLD))
    await stage.do(SPEAK)
    await stage.do(LISTEN)
    assert stage.record["speech"] == [COLD.as_json()] * 2
    assert stage.record["stages_ms"]["speech"] == 100.0
    assert stage.record["silence_ms"] == sum(stage.record["stages_ms"].values()) == 100.0


async def test_executor_does_not_render_a_listen_without_words() -> None:
    """There is nothing to hear."""
    stage = Stage(Rendition(URL))
    await stage.do(replace(LISTEN, text=""))
    assert (stage.telephony.heard, stage.renderer.asked) == ([("", None)], [])


async def test_executor_apologises_without_a_file() -> None:
    """The prompt before was not heard; if ACS cannot fetch files, the next one would not either."""
    stage = Stage(Rendition(URL), cue=CueKind.TROUBLE)
    await stage.do(LISTEN)
    assert stage.telephony.heard == [(LISTEN.text, None)]
    assert (stage.renderer.distrusted, stage.renderer.asked) == (1, [])


async def test_executor_renders_outside_a_turn() -> None:
    """A Listen that was taken over from a dead instance belongs to no turn of this process."""
    stage = Stage(Rendition(URL, COLD))
    stage.visit.turn = None
    await stage.do(LISTEN)
    assert stage.telephony.heard == [(LISTEN.text, URL)]

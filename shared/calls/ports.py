"""What carrying out commands needs: the phone, the agent, a voice, an archive."""

from collections.abc import AsyncGenerator
from typing import Protocol

from shared.agent.turn import TurnItem, TurnRequest
from shared.calls.commands import (
    Answer,
    Dial,
    HangUp,
    Listen,
    Speak,
    StartRecording,
    Transfer,
)
from shared.calls.visit import Visit
from shared.latency.stages import Stages
from shared.speech.rendition import Rendition
from shared.speech.voices import Voice
from shared.types import CallConnectionId, SessionId


class Leg(Protocol):
    """The names ACS gave to a call."""

    @property
    def call_connection_id(self) -> CallConnectionId:
        """Names it in every later request."""
        ...

    @property
    def server_call_id(self) -> str:
        """Names it for recording; empty while it is being dialled."""
        ...


class Telephony(Protocol):
    """The phone; `shared.calls.telephony` is one. Every method raises `TelephonyError`."""

    async def answer(self, session_id: SessionId, command: Answer) -> Leg:
        """Take a ringing call."""
        ...

    async def dial(self, session_id: SessionId, command: Dial) -> Leg:
        """Call someone."""
        ...

    async def speak(
        self, call: CallConnectionId, command: Speak, voice: Voice, sound_url: str | None = None
    ) -> None:
        """Queue a sentence; from a sound file where there is one."""
        ...

    async def listen(
        self, call: CallConnectionId, command: Listen, voice: Voice, sound_url: str | None = None
    ) -> None:
        """Queue a prompt and listen."""
        ...

    async def transfer(self, call: CallConnectionId, command: Transfer) -> None:
        """Connect the caller with somebody else."""
        ...

    async def start_recording(self, call: CallConnectionId, command: StartRecording) -> None:
        """Record the call until it ends."""
        ...

    async def hang_up(self, call: CallConnectionId, command: HangUp) -> None:
        """End the call."""
        ...


class Turns(Protocol):
    """Runs turns; `shared.agent.conversation` is one."""

    def run(self, request: TurnRequest, stages: Stages) -> AsyncGenerator[TurnItem, None]:
        """Run one turn."""
        ...


class Renderer(Protocol):
    """Makes sound files of texts; `shared.speech.prompts` is one."""

    async def render(self, text: str, voice: Voice, *, session_id: str) -> Rendition | None:
        """The file that says *text*; None if ACS shall say it. Soon, and without an `AppError`."""
        ...

    def distrust(self) -> None:
        """A caller did not hear us: leave it to ACS for a while."""
        ...


class Archivist(Protocol):
    """Keeps what was; `shared.calls.archivist` is one."""

    async def sum_up(self, visit: Visit) -> bool:
        """Put a summary into the session's memory; False: it is to be tried again."""
        ...

    async def keep(self, visit: Visit) -> None:
        """Store the session's report; again changes nothing."""
        ...

"""Commands, and a port that sends them to the recorder: what the telephony tests share."""

from collections.abc import Callable, Coroutine
from typing import Any

from shared.calls.commands import Answer, Dial, HangUp, Listen, Speak, StartRecording, Transfer
from shared.calls.events import Party
from shared.calls.telephony import Telephony, TelephonyOptions
from shared.speech.voices import Voice
from shared.types import AgentName, CallConnectionId, CommandId, SessionId
from tests.contract.acs_recorder import ACCESS_KEY, CALL, FakeClock

SESSION = SessionId("0190a1b2-0000-7000-8000-000000000001")
ON_CALL = CallConnectionId(CALL)
AGENT = AgentName("concierge")
CALLER = Party("4:+15551230000")
VOICE = Voice("en-US-AvaMultilingualNeural", "en-US")
ANSWER = Answer(CommandId("answer-1"), "the context")
DIAL = Dial(CommandId("dial-1"), CALLER)
SPEAK = Speak(CommandId("speak-1"), AGENT, "Hello & welcome.")
LISTEN = Listen(CommandId("listen-1"), AGENT, "How can I help?", CALLER)
TRANSFER = Transfer(CommandId("transfer-1"), Party("4:+15554560000"))
START_RECORDING = StartRecording(CommandId("startrecording-1"))
HANG_UP = HangUp(CommandId("hangup-1"))

Operation = Callable[[Telephony], Coroutine[Any, Any, object]]
OPERATIONS: dict[str, Operation] = {
    "answer": lambda t: t.answer(SESSION, ANSWER),
    "dial": lambda t: t.dial(SESSION, DIAL),
    "speak": lambda t: t.speak(ON_CALL, SPEAK, VOICE),
    "listen": lambda t: t.listen(ON_CALL, LISTEN, VOICE),
    "transfer": lambda t: t.transfer(ON_CALL, TRANSFER),
    "start_recording": lambda t: t.start_recording(ON_CALL, START_RECORDING),
    "hang_up": lambda t: t.hang_up(ON_CALL, HANG_UP),
    "is_alive": lambda t: t.is_alive(ON_CALL),
}
REPEATABLE = ("answer", "dial", "transfer", "start_recording", "hang_up")
UNREPEATABLE = ("speak", "listen")
OPTIONS = TelephonyOptions(
    cognitive_services_endpoint="https://ai.example/", caller_id_number="+15559990000"
)


def connect(
    endpoint: str, *, options: TelephonyOptions = OPTIONS, clock: FakeClock | None = None
) -> Telephony:
    """A port to the recorder, with a callback URL that must survive as it is."""
    return Telephony.connect(
        endpoint=endpoint,
        credential=ACCESS_KEY,
        callback_url=lambda session_id: (
            f"https://app.example/api/callbacks/{session_id}?sig=a-b%2B"
        ),
        options=options,
        clock=clock or FakeClock(),
    )

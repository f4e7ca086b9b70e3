"""The state of one call."""

import base64
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import uuid4

from simulator.acs.errors import Json
from simulator.acs.identifiers import identifier
from simulator.acs.media import MediaQueue, Origin
from simulator.acs.phone import PhoneCall

RESOURCE_ID = "11111111-1111-4111-8111-111111111111"


class CallState(StrEnum):
    """``callConnectionState`` on the wire; ``ringing`` is ours and never shown."""

    RINGING = "ringing"
    UNKNOWN = "unknown"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    TRANSFERRING = "transferring"
    DISCONNECTED = "disconnected"


@dataclass(slots=True)
class Participant:
    """One end of the call."""

    raw_id: str
    is_muted: bool = False
    is_on_hold: bool = False

    def as_json(self) -> Json:
        """As it stands in lists and events."""
        return {
            "identifier": identifier(self.raw_id),
            "isMuted": self.is_muted,
            "isOnHold": self.is_on_hold,
        }


@dataclass(slots=True)
class ContinuousTones:
    """A running continuous recognition of keys."""

    origin: Origin
    sequence_id: int = 0


@dataclass(eq=False, slots=True)
class SimCall:
    """One call from the first ring to the end. Addresses are raw ids."""

    caller: str
    callee: str
    phone: PhoneCall
    is_outbound: bool = False
    state: CallState = CallState.RINGING
    call_connection_id: str = field(default_factory=lambda: str(uuid4()))
    correlation_id: str = field(default_factory=lambda: str(uuid4()))
    server_call_id: str = ""
    callback_uri: str = ""
    operation_context: str | None = None
    api_version: str = ""
    has_speech: bool = False
    """Whether a cognitive services endpoint came with the answer."""
    bot: str = ""
    source_caller_id: str | None = None
    participants: dict[str, Participant] = field(default_factory=dict)
    invitations: dict[str, Origin] = field(default_factory=dict)
    sequence_number: int = 0
    media: MediaQueue = field(default_factory=MediaQueue)
    continuous: ContinuousTones | None = None
    sending_tones: int = 0
    is_dead: bool = False
    """Media operations are refused, though the call goes on (after a failed transfer)."""
    was_ended_by_app: bool = False

    def __post_init__(self) -> None:
        url = f"https://conv.example/conv/{uuid4()}?i=1&e=2"
        self.server_call_id = base64.b64encode(url.encode()).decode()
        self.bot = self.bot or f"8:acs:{RESOURCE_ID}_{uuid4()}"

    @property
    def is_over(self) -> bool:
        """Whether nothing can be done on it any more."""
        return self.state == CallState.DISCONNECTED

    @property
    def person(self) -> str:
        """The one who holds the phone."""
        return self.callee if self.is_outbound else self.caller

    @property
    def origin(self) -> Origin:
        """What events of the call as a whole answer: create or answer."""
        return Origin(self.operation_context)

    @property
    def is_group(self) -> bool:
        """Whether others than the person and the app take part."""
        return len(self.participants) > 2

    def properties(self) -> Json:
        """``CallConnectionProperties``; an outbound call has no server call id at first."""
        data: Json = {"callConnectionId": self.call_connection_id}
        if not (self.is_outbound and self.state == CallState.CONNECTING):
            data["serverCallId"] = self.server_call_id
        data |= {
            "targets": [identifier(self.callee)],
            "callConnectionState": self.state.value,
            "callbackUri": self.callback_uri,
            "correlationId": self.correlation_id,
        }
        if self.is_outbound:
            data["source"] = identifier(self.bot)
            if self.source_caller_id:
                data["sourceCallerIdNumber"] = {"value": self.source_caller_id}
        else:
            data["answeredBy"] = {"id": self.bot}
            data["source"] = identifier(self.caller)
            data["sourceDisplayName"] = ""
        return data

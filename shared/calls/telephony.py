"""The port to Azure Communication Services: what the flow wants done, done on a real call.

Every operation is bounded in time, and every failure is a `TelephonyError`. Operations that the
service can recognise as repeated (answer, dial, transfer, hang up) carry a request id that any
instance derives alike from the command, and are tried up to three times. Play and recognize know
no such id: tried twice, they might be heard twice, so `attempt` repeats them only if the first
request certainly did nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from azure.communication.callautomation import (
    CallConnectionProperties,
    CallConnectionState,
    PhoneNumberIdentifier,
    RecordingChannel,
    RecordingContent,
    RecordingFormat,
)
from azure.communication.callautomation.aio import CallAutomationClient, CallConnectionClient
from azure.core.credentials_async import AsyncTokenCredential

from shared.calls.acs_client import connect_client
from shared.calls.attempts import attempt, repeatability
from shared.calls.commands import Answer, Dial, HangUp, Listen, Speak, StartRecording, Transfer
from shared.calls.events import CommandFailure, Party
from shared.calls.failures import TelephonyError
from shared.calls.hearing import MESSAGE_KEYS, words_or_keys
from shared.calls.identifiers import identifier_of, phone_number_of
from shared.calls.sources import source_of
from shared.clock import Clock, SystemClock
from shared.speech.voices import Voice
from shared.telemetry import names
from shared.telemetry.tracing import Kind, span
from shared.types import CallConnectionId, SessionId

_NO_CALL = CallConnectionId("00000000-0000-0000-0000-000000000000")
_ALREADY_RECORDED = frozenset({8553, 8559})
"""Subcodes of a second recording of one call."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CallLeg:
    """The names ACS gave to a call."""

    call_connection_id: CallConnectionId
    server_call_id: str = ""
    """Empty for a call that is still being dialled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelephonyOptions:
    """How we call and listen."""

    cognitive_services_endpoint: str
    """The AI resource that speaks and recognizes for ACS."""
    caller_id_number: str | None = None
    """Our number in E.164, shown to phones we call; ACS requires it for them."""
    op_timeout_s: float = 4.0
    """One operation, repetitions included."""
    end_silence_ms: int = 500
    """How long a caller must be silent to have finished; always sent, defaults differ."""
    initial_silence_s: int = 8
    """How long we wait for the first word; at most 20."""


class Telephony:
    """Carries out commands on calls.

    All operations raise `TelephonyError`, and only that, when they fail; a cancelled operation
    may or may not have been carried out.
    """

    def __init__(
        self,
        client: CallAutomationClient,
        *,
        callback_url: Callable[[SessionId], str],
        options: TelephonyOptions,
        clock: Clock | None = None,
    ) -> None:
        """Use *client*, which must not retry on its own (see `connect`)."""
        self._client = client
        self._callback_url = callback_url
        self._options = options
        self._clock = clock or SystemClock()

    @classmethod
    def connect(
        cls,
        *,
        endpoint: str,
        credential: str | AsyncTokenCredential,
        callback_url: Callable[[SessionId], str],
        options: TelephonyOptions,
        clock: Clock | None = None,
    ) -> "Telephony":
        """Make the client; nothing is sent yet.

        Args:
            endpoint: Of the ACS resource; plain ``http`` works with an access key only.
            credential: An access key (base64), or a credential for Entra tokens, which remains
                the caller's to close.
            callback_url: Where ACS reports on the calls of a session; the same for the same
                session, or a repeated request would not be recognised.
            options: How we call and listen.
            clock: Only tests pass one.

        Raises:
            SettingsError: The endpoint is not a URL, or the access key is not base64.
        """
        client = connect_client(endpoint, credential, timeout_s=options.op_timeout_s)
        return cls(client, callback_url=callback_url, options=options, clock=clock)

    async def answer(self, session_id: SessionId, command: Answer) -> CallLeg:
        """Take the ringing call; repeated by any instance, it gives the same call."""
        headers = repeatability(session_id, command, self._clock.now())
        properties = await self._run(
            "answer",
            lambda: self._client.answer_call(
                command.incoming_call_context,
                self._callback_url(session_id),
                cognitive_services_endpoint=self._options.cognitive_services_endpoint,
                operation_context=command.id,
                headers=headers,
            ),
            is_repeatable=True,
        )
        return _leg("answer", properties)

    async def dial(self, session_id: SessionId, command: Dial) -> CallLeg:
        """Call someone; repeated by any instance, it gives the same call."""
        headers = repeatability(session_id, command, self._clock.now())
        properties = await self._run(
            "dial",
            lambda: self._client.create_call(
                identifier_of(command.target),
                self._callback_url(session_id),
                source_caller_id_number=self._caller_id_for(command.target),
                cognitive_services_endpoint=self._options.cognitive_services_endpoint,
                operation_context=command.id,
                headers=headers,
            ),
            is_repeatable=True,
        )
        return _leg("dial", properties)

    async def speak(
        self, call: CallConnectionId, command: Speak, voice: Voice, sound_url: str | None = None
    ) -> None:
        """Queue one sentence; done when ACS accepted it, long before it is heard.

        *sound_url* is a sound file that says it; None: ACS says it with *voice*.
        """
        await self._run(
            "speak",
            lambda: self._connection(call).play_media(
                source_of(command.text, voice, sound_url),
                operation_context=command.id,
                interrupt_call_media_operation=False,
            ),
            is_repeatable=False,
        )

    async def listen(
        self, call: CallConnectionId, command: Listen, voice: Voice, sound_url: str | None = None
    ) -> None:
        """Queue the last sentence, which the caller may interrupt, and listen in its language.

        While the caller leaves a message, nothing is listened to but the keys.
        """
        if command.is_message:
            hearing = MESSAGE_KEYS
        else:
            options = self._options
            hearing = words_or_keys(
                voice.locale,
                initial_silence_s=options.initial_silence_s,
                end_silence_ms=options.end_silence_ms,
            )
        await self._run(
            "listen",
            lambda: self._connection(call).start_recognizing_media(
                target_participant=identifier_of(command.target),
                play_prompt=source_of(command.text, voice, sound_url) if command.text else None,
                interrupt_call_media_operation=False,
                operation_context=command.id,
                **hearing,
            ),
            is_repeatable=False,
        )

    async def transfer(self, call: CallConnectionId, command: Transfer) -> None:
        """Begin to connect the caller with a person; repeated, there is still one transfer."""
        headers = repeatability(call, command, self._clock.now())
        await self._run(
            "transfer",
            lambda: self._connection(call).transfer_call_to_participant(
                identifier_of(command.target),
                operation_context=command.id,
                source_caller_id_number=self._caller_id_for(command.target),
                headers=headers,
            ),
            is_repeatable=True,
        )

    async def start_recording(self, call: CallConnectionId, command: StartRecording) -> None:
        """Record the call as WAV, one track for everybody; a call that is recorded is a success."""
        headers = repeatability(call, command, self._clock.now())
        try:
            await self._run(
                "start_recording",
                lambda: self._client.start_recording(
                    call_connection_id=call,
                    recording_content_type=RecordingContent.AUDIO,
                    recording_channel_type=RecordingChannel.MIXED,
                    recording_format_type=RecordingFormat.WAV,
                    headers=headers,
                ),
                is_repeatable=True,
            )
        except TelephonyError as err:
            if err.sub_code not in _ALREADY_RECORDED:
                raise

    async def hang_up(self, call: CallConnectionId, command: HangUp) -> None:
        """End the call for everyone; a call that is over already is a success."""
        headers = repeatability(call, command, self._clock.now())
        try:
            await self._run(
                "hang_up",
                lambda: self._connection(call).hang_up(is_for_everyone=True, headers=headers),
                is_repeatable=True,
            )
        except TelephonyError as err:
            if err.failure is not CommandFailure.CALL_GONE:
                raise

    async def is_alive(self, call: CallConnectionId) -> bool:
        """Ask ACS whether the call still exists."""
        try:
            properties = await self._run(
                "is_alive",
                lambda: self._connection(call).get_call_properties(),
                is_repeatable=True,
            )
        except TelephonyError as err:
            if err.failure is CommandFailure.CALL_GONE:
                return False
            raise
        return properties.call_connection_state != CallConnectionState.DISCONNECTED

    async def warm(self) -> None:
        """Open the connection and prove the credential, by asking for a call that is not there.

        Raises:
            TelephonyError: ACS is unreachable or does not accept us.
        """
        await self.is_alive(_NO_CALL)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _connection(self, call: CallConnectionId) -> CallConnectionClient:
        return self._client.get_call_connection(call)

    def _caller_id_for(self, target: Party) -> PhoneNumberIdentifier | None:
        number = self._options.caller_id_number
        if number is None or phone_number_of(target) is None:
            return None
        return PhoneNumberIdentifier(number)

    async def _run(
        self, operation: str, request: Callable[[], Awaitable[T]], *, is_repeatable: bool
    ) -> T:
        name, facts = f"{names.SPAN_ACS} {operation}", {names.PEER: names.PEER_ACS}
        with span(name, facts, kind=Kind.CLIENT, is_detail=True):
            return await attempt(
                request,
                operation=operation,
                is_repeatable=is_repeatable,
                timeout_s=self._options.op_timeout_s,
                clock=self._clock,
            )


def _leg(operation: str, properties: CallConnectionProperties) -> CallLeg:
    if not properties.call_connection_id:
        raise TelephonyError(operation, CommandFailure.UNAVAILABLE)
    return CallLeg(CallConnectionId(properties.call_connection_id), properties.server_call_id or "")

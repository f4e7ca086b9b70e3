"""Connects phones with the app: rings, answers, dials, transfers, hangs up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from simulator.acs import results
from simulator.acs.callbacks import incoming_call_event
from simulator.acs.calls import CallState, Participant, SimCall
from simulator.acs.chaos import Chaos
from simulator.acs.context import ContextBook
from simulator.acs.errors import Json, call_not_found
from simulator.acs.identifiers import address_of, identifier, raw_id_of_address
from simulator.acs.media import Origin
from simulator.acs.people import Person, create_result, transfer_result
from simulator.acs.phone import PhoneCall
from simulator.acs.player import Player, Studio
from simulator.acs.recordings import Recorder
from simulator.acs.results import Result
from simulator.acs.script import Responder, Step
from simulator.acs.transcript import EndReason

Publish = Callable[[list[Json]], Awaitable[None]]


class Switchboard:
    """All calls and all phones."""

    def __init__(
        self, *, studio: Studio, chaos: Chaos, publish: Publish, recorder: Recorder
    ) -> None:
        self.calls: dict[str, SimCall] = {}
        self.phone_calls: dict[str, PhoneCall] = {}
        self.people: dict[str, Person] = {}
        self.studio = studio
        self.chaos = chaos
        self.recorder = recorder
        self._publish = publish
        self._pace = studio.pace
        self._emit = studio.courier.emit
        self._players: dict[str, Player] = {}
        self._contexts: ContextBook[SimCall] = ContextBook(
            lifetime_s=self._pace.scaled_s(self._pace.context_s)
        )

    # --- calls that come in -------------------------------------------------------------------

    async def ring(
        self, *, caller: str, callee: str, script: Sequence[Step] | Responder
    ) -> PhoneCall:
        """Let a phone ring for the app."""
        phone = PhoneCall(caller=caller, callee=callee, script=script)
        call = SimCall(raw_id_of_address(caller), raw_id_of_address(callee), phone)
        self._connect_phone(call)
        event = incoming_call_event(call, self._contexts.mint(call))
        self.studio.tasks.spawn(self._give_up_ringing(call))
        for _ in range(1 + self.chaos.duplicate_incoming):
            await self._publish([event])
        return phone

    def take_ringing(self, context: object) -> SimCall:
        """The ringing call a context stands for; uses the context up.

        Raises:
            ServiceError: The context is not good, or nobody is waiting any more.
        """
        call = self._contexts.redeem(context)
        if call.state != CallState.RINGING:
            raise call_not_found()
        return call

    def answer(self, call: SimCall) -> None:
        """The app takes *call*, whose callback details are set."""
        call.state = CallState.UNKNOWN
        self._enter(call)
        self.studio.tasks.spawn(self._connect_later(call))

    def turn_away(self, call: SimCall, reason: EndReason) -> None:
        """The app rejects or redirects *call*: no callbacks at all."""
        self._over(call, reason)

    async def _give_up_ringing(self, call: SimCall) -> None:
        await self._sleep(self._pace.ring_s)
        if call.state == CallState.RINGING:
            self._over(call, EndReason.NOT_ANSWERED)

    async def _connect_later(self, call: SimCall) -> None:
        await self._sleep(self._pace.connect_ms / 1000)
        if call.state == CallState.UNKNOWN:
            self._connect(call)

    # --- calls that go out --------------------------------------------------------------------

    def person(self, raw_id: str) -> Person | None:
        """Whoever has this number; None if nobody has."""
        return self.people.get(address_of(raw_id))

    def dial(self, call: SimCall) -> None:
        """The app calls someone; *call* has their script on its phone."""
        call.state = CallState.CONNECTING
        self._connect_phone(call)
        self._enter(call)
        self.studio.tasks.spawn(self._dial(call, self.person(call.callee)))

    async def _dial(self, call: SimCall, person: Person | None) -> None:
        await self.wait_for(person)
        if call.state != CallState.CONNECTING:
            return
        if person is not None and person.outcome == "accepted":
            self._connect(call)
            return
        result = create_result(person)
        self._emit(call, "CreateCallFailed", result, call.origin)
        self._emit(call, "CallDisconnected", result, call.origin)
        self._over(call, EndReason.NOT_ANSWERED)

    async def wait_for(self, person: Person | None) -> None:
        """As long as it takes until it is clear how *person* reacts."""
        if person is None:
            await self._sleep(self._pace.connect_ms / 1000)
        elif person.outcome == "no_answer":
            await self._sleep(self._pace.ring_s)
        else:
            await self._sleep(person.answers_after_s)

    # --- calls in progress --------------------------------------------------------------------

    def player(self, call: SimCall) -> Player:
        """The player of *call*."""
        return self._players[call.call_connection_id]

    def participants_updated(self, call: SimCall) -> None:
        """Tell the app who is on the call now."""
        call.sequence_number += 1
        participants = [participant.as_json() for participant in call.participants.values()]
        extra = {"participants": participants, "sequenceNumber": call.sequence_number}
        self._emit(call, "ParticipantsUpdated", results.OK, Origin(), extra)

    def transfer(self, call: SimCall, target: str, transferee: str, origin: Origin) -> None:
        """Connect *transferee* with *target*; the app leaves if that works."""
        call.state = CallState.TRANSFERRING
        extra = {"transferTarget": identifier(target), "transferee": identifier(transferee)}
        self.studio.tasks.spawn(self._transfer(call, self.person(target), origin, extra))

    async def _transfer(
        self, call: SimCall, person: Person | None, origin: Origin, extra: Json
    ) -> None:
        await self.wait_for(person)
        if call.state != CallState.TRANSFERRING:
            return
        result, to = transfer_result(person), address_of(extra["transferTarget"]["rawId"])
        call.phone.transferred(to, person.outcome if person else "unknown_number")
        if person is None or person.outcome != "accepted":
            call.state = CallState.CONNECTED
            call.is_dead = self.chaos.dead_after_failed_transfer
            self._emit(call, "CallTransferFailed", result, origin)
            return
        self._emit(call, "CallTransferAccepted", result, origin, extra)
        self._disconnected(call, results.LEFT_BY_TRANSFER)
        call.was_ended_by_app = True
        self._over(call, EndReason.TRANSFERRED)

    def end_by_app(self, call: SimCall) -> None:
        """The app hangs up."""
        call.was_ended_by_app = True
        self.disconnect(call, results.APP_ENDED, EndReason.AGENT_HUNG_UP)

    def disconnect(self, call: SimCall, result: Result, reason: EndReason) -> None:
        """End *call* and tell the app."""
        self._disconnected(call, result)
        self._over(call, reason)

    def close(self) -> None:
        """The network goes down: every line is lost and nobody is told."""
        for phone in self.phone_calls.values():
            phone.over(EndReason.LINE_LOST)

    def _put_down(self, call: SimCall) -> None:
        """The person hangs up."""
        if call.state == CallState.UNKNOWN:
            self._emit(call, "AnswerFailed", results.CALLER_GAVE_UP, call.origin)
        if call.state in {CallState.CONNECTED, CallState.TRANSFERRING}:
            self._disconnected(call, results.party_hung_up(is_outbound=call.is_outbound))
        self._over(call, EndReason.CALLER_HUNG_UP)

    def _connect_phone(self, call: SimCall) -> None:
        call.phone.on_hang_up = partial(self._put_down, call)
        self.phone_calls[call.phone.id] = call.phone

    def _enter(self, call: SimCall) -> None:
        call.phone.call_connection_id = call.call_connection_id
        self.calls[call.call_connection_id] = call
        self._players[call.call_connection_id] = Player(call, self.studio)

    def _connect(self, call: SimCall) -> None:
        call.state = CallState.CONNECTED
        for raw_id in (call.person, call.bot):
            call.participants[raw_id] = Participant(raw_id)
        call.phone.connected()
        self._emit(call, "CallConnected", results.OK, call.origin)
        self.participants_updated(call)

    def _disconnected(self, call: SimCall, result: Result) -> None:
        """The last callback of *call*; its recordings end before it."""
        if player := self._players.get(call.call_connection_id):
            player.close()
        self.recorder.stop_all(call)
        self._emit(call, "CallDisconnected", result, call.origin)

    def _over(self, call: SimCall, reason: EndReason) -> None:
        if call.is_over:
            return
        call.state = CallState.DISCONNECTED
        call.participants.clear()
        if player := self._players.pop(call.call_connection_id, None):
            player.close()
        call.phone.over(reason)
        if not self.studio.voicebox.is_audible:
            call.phone.tape.clear()

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(self._pace.scaled_s(seconds))

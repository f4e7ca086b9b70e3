"""Who takes part in a call: list, invite, remove, mute, hold."""

from uuid import uuid4

from simulator.acs import results
from simulator.acs.calls import Participant, SimCall
from simulator.acs.errors import Json, Reply, ServiceError, invalid
from simulator.acs.identifiers import identifier, raw_id_of
from simulator.acs.media import Origin
from simulator.acs.media_requests import origin_of
from simulator.acs.operations import Handler, context_body, live_call
from simulator.acs.people import invite_result
from simulator.acs.routes import RestRequest
from simulator.acs.switchboard import Switchboard
from simulator.acs.transcript import EndReason


class PartyOperations:
    """Operations on the participants of a call."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._courier = board.studio.courier
        self.handlers: dict[str, Handler] = {
            "listParticipants": self._list,
            "getParticipant": self._get,
            "addParticipant": self._add,
            "cancelAddParticipant": self._cancel_add,
            "removeParticipant": self._remove,
            "muteParticipant": self._mute,
            "hold": self._hold,
            "unhold": self._unhold,
        }

    def _list(self, request: RestRequest) -> Reply:
        call = live_call(self._board, request)
        participants = [participant.as_json() for participant in call.participants.values()]
        return Reply(200, {"value": participants})

    def _get(self, request: RestRequest) -> Reply:
        call = live_call(self._board, request)
        participant = call.participants.get(request.route.participant or "")
        if participant is None:
            raise ServiceError(404, "8522", "Participant not found.")
        return Reply(200, participant.as_json())

    def _add(self, request: RestRequest) -> Reply:
        call = live_call(self._board, request)
        body = request.body
        invitee = raw_id_of(body.get("participantToAdd"))
        timeout_s = body.get("invitationTimeoutInSeconds", 30)
        if not isinstance(timeout_s, int) or not 0 <= timeout_s <= 180:
            raise invalid("InvitationTimeoutInSeconds must be between 0 and 180.")
        invitation = str(uuid4())
        call.invitations[invitation] = origin_of(body)
        self._board.studio.tasks.spawn(self._invite(call, invitee, invitation))
        data: Json = {"participant": Participant(invitee).as_json(), "invitationId": invitation}
        return Reply(202, data | context_body(body))

    async def _invite(self, call: SimCall, invitee: str, invitation: str) -> None:
        person = self._board.person(invitee)
        await self._board.wait_for(person)
        origin = call.invitations.pop(invitation, None)
        if origin is None or call.is_over:
            return
        is_accepted = person is not None and person.outcome == "accepted"
        name = "AddParticipantSucceeded" if is_accepted else "AddParticipantFailed"
        extra = {"invitationId": invitation, "participant": identifier(invitee)}
        self._courier.emit(call, name, invite_result(person), origin, extra)
        if is_accepted:
            call.participants[invitee] = Participant(invitee)
            self._board.participants_updated(call)

    def _cancel_add(self, request: RestRequest) -> Reply:
        call = live_call(self._board, request)
        invitation = str(request.body.get("invitationId"))
        is_open = call.invitations.pop(invitation, None) is not None
        name = f"CancelAddParticipant{'Succeeded' if is_open else 'Failed'}"
        result = results.OK if is_open else results.INVITATION_PROCESSED
        extra = {"invitationId": invitation}
        self._courier.emit(call, name, result, origin_of(request.body), extra)
        return Reply(202, extra | context_body(request.body))

    def _remove(self, request: RestRequest) -> Reply:
        call = live_call(self._board, request)
        raw_id = raw_id_of(request.body.get("participantToRemove"))
        removed = call.participants.pop(raw_id, None)
        name = f"RemoveParticipant{'Succeeded' if removed else 'Failed'}"
        result = results.OK if removed else results.PARTICIPANT_NOT_FOUND
        extra = {"participant": identifier(raw_id)}
        self._courier.emit(call, name, result, origin_of(request.body), extra)
        if removed:
            self._board.participants_updated(call)
        if raw_id == call.person and removed:
            # A call without the person on the phone has nobody left to talk to.
            self._board.disconnect(call, results.APP_ENDED, EndReason.AGENT_HUNG_UP)
        return Reply(202, context_body(request.body))

    def _mute(self, request: RestRequest) -> Reply:
        call = live_call(self._board, request)
        targets = request.body.get("targetParticipants")
        raw_ids = [raw_id_of(target) for target in targets] if isinstance(targets, list) else []
        if len(raw_ids) != 1 or raw_ids[0] not in call.participants:
            raise invalid("TargetParticipants must name one participant of the call.")
        call.participants[raw_ids[0]].is_muted = True
        self._board.participants_updated(call)
        return Reply(200, context_body(request.body))

    def _hold(self, request: RestRequest) -> Reply:
        return self._set_hold(request, is_on_hold=True)

    def _unhold(self, request: RestRequest) -> Reply:
        return self._set_hold(request, is_on_hold=False)

    def _set_hold(self, request: RestRequest, *, is_on_hold: bool) -> Reply:
        call = live_call(self._board, request)
        participant = call.participants.get(raw_id_of(request.body.get("targetParticipant")))
        if participant is not None:
            participant.is_on_hold = is_on_hold
            self._board.participants_updated(call)
        elif is_on_hold:
            origin: Origin = origin_of(request.body)
            self._courier.emit(call, "HoldFailed", results.NOT_PRESENT, origin)
        return Reply(200)

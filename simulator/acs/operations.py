"""What the operations on calls do. They act at once; what follows arrives as callbacks."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from simulator.acs import results
from simulator.acs.calls import CallState, ContinuousTones, SimCall
from simulator.acs.errors import (
    Json,
    Reply,
    call_not_established,
    call_not_found,
    call_terminated,
    incompatible_media,
    invalid,
    wrong_state,
)
from simulator.acs.identifiers import address_of, raw_id_of
from simulator.acs.media import Operation, Origin
from simulator.acs.media_requests import origin_of, parse_play, parse_recognize, parse_tones
from simulator.acs.phone import PhoneCall
from simulator.acs.routes import RestRequest
from simulator.acs.switchboard import Switchboard
from simulator.acs.transcript import EndReason

Handler = Callable[[RestRequest], Reply]
_NOT_YET = {CallState.UNKNOWN, CallState.CONNECTING}
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def live_call(board: Switchboard, request: RestRequest, *, is_media: bool = False) -> SimCall:
    """The connected call a request names.

    Raises:
        ServiceError: It is unknown, over or not connected yet, in the code that fits.
    """
    call = board.calls.get(request.route.call_connection_id or "")
    if call is None:
        raise call_not_found()
    if call.is_over:
        # Somebody else ended it under the feet of the app, which is told so; the rest is unknown.
        raise call_terminated() if is_media and not call.was_ended_by_app else call_not_found()
    if call.state in _NOT_YET:
        raise call_not_established() if is_media else wrong_state()
    if is_media and call.is_dead:
        raise call_not_established()
    return call


class CallOperations:
    """Setting up and ending calls."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self.handlers: dict[str, Handler] = {
            "createCall": self._create,
            "answer": self._answer,
            "redirect": self._redirect,
            "reject": self._reject,
            "getCallProperties": self._properties,
            "hangUp": self._hang_up,
            "terminate": self._hang_up,
            "transferToParticipant": self._transfer,
        }

    def _create(self, request: RestRequest) -> Reply:
        body, targets = request.body, request.body.get("targets")
        if not isinstance(targets, list) or not targets:
            raise invalid("Targets must not be empty.")
        callee = raw_id_of(targets[0])
        number = _value(body.get("sourceCallerIdNumber"))
        if callee.startswith("4:") and number is None:
            raise invalid("SourceCallerIdNumber is required to call a phone number.")
        source = body.get("source")
        bot = str(source["id"]) if isinstance(source, dict) and "id" in source else ""
        _check_callback(body)
        person = self._board.person(callee)
        address = address_of(callee)
        phone = PhoneCall(
            caller=number or bot, callee=address, script=person.script if person else ()
        )
        call = SimCall(bot, callee, phone, is_outbound=True, bot=bot, source_caller_id=number)
        _set_up(call, request)
        self._board.dial(call)
        return Reply(201, call.properties())

    def _answer(self, request: RestRequest) -> Reply:
        _check_callback(request.body)
        call = self._board.take_ringing(request.body.get("incomingCallContext"))
        answered_by = request.body.get("answeredBy")
        if isinstance(answered_by, dict) and "id" in answered_by:
            call.bot = str(answered_by["id"])
        _set_up(call, request)
        self._board.answer(call)
        return Reply(200, call.properties())

    def _redirect(self, request: RestRequest) -> Reply:
        target = raw_id_of(request.body.get("target"))
        call = self._board.take_ringing(request.body.get("incomingCallContext"))
        person = self._board.person(target)
        call.phone.transferred(address_of(target), person.outcome if person else "unknown_number")
        self._board.turn_away(call, EndReason.REDIRECTED)
        return Reply(204)

    def _reject(self, request: RestRequest) -> Reply:
        if request.body.get("callRejectReason", "none") not in {"none", "busy", "forbidden"}:
            raise invalid("CallRejectReason is invalid.")
        call = self._board.take_ringing(request.body.get("incomingCallContext"))
        self._board.turn_away(call, EndReason.REJECTED)
        return Reply(204)

    def _properties(self, request: RestRequest) -> Reply:
        return Reply(200, self._known(request).properties())

    def _hang_up(self, request: RestRequest) -> Reply:
        self._board.end_by_app(self._known(request))
        return Reply(204)

    def _transfer(self, request: RestRequest) -> Reply:
        call = live_call(self._board, request)
        target = raw_id_of(request.body.get("targetParticipant"))
        if call.state == CallState.TRANSFERRING:
            raise wrong_state()
        transferee = call.person
        if "transferee" in request.body:
            transferee = raw_id_of(request.body["transferee"])
        self._board.transfer(call, target, transferee, origin_of(request.body))
        return Reply(202, context_body(request.body))

    def _known(self, request: RestRequest) -> SimCall:
        call = self._board.calls.get(request.route.call_connection_id or "")
        if call is None or call.is_over:
            raise call_not_found()
        return call


class MediaOperations:
    """Speaking, listening and tones."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._courier = board.studio.courier
        self.handlers: dict[str, Handler] = {
            "play": self._play,
            "recognize": self._recognize,
            "cancelAllMediaOperations": self._cancel,
            "sendDtmfTones": self._send_tones,
            "startContinuousDtmfRecognition": self._start_tones,
            "stopContinuousDtmfRecognition": self._stop_tones,
        }

    def _play(self, request: RestRequest) -> Reply:
        call = live_call(self._board, request, is_media=True)
        return self._submit(call, parse_play(request.body, has_speech=call.has_speech))

    def _recognize(self, request: RestRequest) -> Reply:
        call = live_call(self._board, request, is_media=True)
        operation = parse_recognize(
            request.body, has_speech=call.has_speech, is_group=call.is_group
        )
        return self._submit(call, operation)

    def _submit(self, call: SimCall, operation: Operation) -> Reply:
        if operation.is_sub_leg and not operation.interrupts:
            _check_sub_leg(call)
        self._board.player(call).submit(operation)
        return Reply(202)

    def _cancel(self, request: RestRequest) -> Reply:
        self._board.player(live_call(self._board, request, is_media=True)).cancel_all()
        return Reply(202)

    def _send_tones(self, request: RestRequest) -> Reply:
        call = live_call(self._board, request, is_media=True)
        tones = parse_tones(request.body)
        raw_id_of(request.body.get("targetParticipant"))
        _check_sub_leg(call)
        call.sending_tones += 1
        self._board.studio.tasks.spawn(self._send(call, len(tones), origin_of(request.body)))
        return Reply(202, context_body(request.body))

    async def _send(self, call: SimCall, count: int, origin: Origin) -> None:
        pace = self._board.studio.pace
        await asyncio.sleep(pace.scaled_s(count * pace.tone_ms / 1000))
        call.sending_tones -= 1
        if not call.is_over:
            self._courier.emit(call, "SendDtmfTonesCompleted", results.TONES_SENT, origin)

    def _start_tones(self, request: RestRequest) -> Reply:
        call = live_call(self._board, request, is_media=True)
        raw_id_of(request.body.get("targetParticipant"))
        _check_sub_leg(call)
        call.continuous = ContinuousTones(origin_of(request.body))
        return Reply(200)

    def _stop_tones(self, request: RestRequest) -> Reply:
        call = live_call(self._board, request, is_media=True)
        raw_id_of(request.body.get("targetParticipant"))
        if call.continuous is not None:
            call.continuous = None
            self._courier.emit(
                call,
                "ContinuousDtmfRecognitionStopped",
                results.TONES_STOPPED,
                origin_of(request.body),
            )
        return Reply(200)


def context_body(body: Json) -> Json:
    """The answer that repeats the operation context, if there is one."""
    context = body.get("operationContext")
    return {"operationContext": context} if context is not None else {}


def _check_sub_leg(call: SimCall) -> None:
    if call.media.has_sub_leg or call.sending_tones:
        raise incompatible_media()


def _set_up(call: SimCall, request: RestRequest) -> None:
    body = request.body
    call.callback_uri = str(body["callbackUri"])
    call.operation_context = origin_of(body).operation_context
    call.api_version = request.api_version
    intelligence = body.get("callIntelligenceOptions")
    call.has_speech = isinstance(intelligence, dict) and bool(
        intelligence.get("cognitiveServicesEndpoint")
    )


def _check_callback(body: Json) -> None:
    """Callbacks go to https; here also to plain http on this machine."""
    url = urlsplit(str(body.get("callbackUri", "")))
    is_local = url.scheme == "http" and url.hostname in _LOOPBACK
    if not url.hostname or not (url.scheme == "https" or is_local):
        raise invalid("The field CallbackUri is invalid.")


def _value(data: object) -> str | None:
    value = data.get("value") if isinstance(data, dict) else None
    return value if isinstance(value, str) and value else None

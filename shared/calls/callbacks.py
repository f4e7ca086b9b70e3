"""Read what ACS and Event Grid tell us about calls, tolerant of what we do not know.

ACS posts CloudEvents, an array or one object. Unknown fields and unknown types are no error:
ACS adds both without notice.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.calls.events import (
    CallConnected,
    CallEnded,
    CallOffered,
    Event,
    Party,
    PromptFailed,
    PromptFinished,
    PromptStarted,
    RecognizeCanceled,
    RecognizeFailed,
    RecognizeFailure,
    Result,
    SpeechRecognized,
    TonesCollected,
    TransferAccepted,
    TransferFailed,
    TransferFailure,
)
from shared.errors import InvalidRequestError
from shared.telemetry.logs import get_logger
from shared.types import CallConnectionId, EventId, Json

logger = get_logger(__name__)

_DIGIT_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TONES = {
    **{name: str(digit) for digit, name in enumerate(_DIGIT_NAMES)},
    **{character.lower(): character for character in "0123456789ABCD#*"},
    "pound": "#",
    "asterisk": "*",
}
"""Tones by the names of the callbacks and, in case, by the characters of the media stream."""

_RECOGNIZE_FAILURES = {
    8510: RecognizeFailure.SILENCE,
    8532: RecognizeFailure.NOT_UNDERSTOOD,
    8534: RecognizeFailure.NOT_UNDERSTOOD,
    8547: RecognizeFailure.NOT_UNDERSTOOD,
    8563: RecognizeFailure.NOT_UNDERSTOOD,
}
_TRANSFER_SUB_CODES = {
    8538: TransferFailure.DECLINED,
    8539: TransferFailure.BUSY,
    8540: TransferFailure.BUSY,
    8541: TransferFailure.NO_ANSWER,
    10024: TransferFailure.DECLINED,
}
_TRANSFER_SIP_CODES = {
    408: TransferFailure.NO_ANSWER,
    480: TransferFailure.NO_ANSWER,
    486: TransferFailure.BUSY,
    600: TransferFailure.BUSY,
    603: TransferFailure.DECLINED,
}
_SIP_SOURCES = (510, 540, 560)
"""A subcode ``560ddd`` is the SIP code ``ddd`` of the carrier (540 inbound, 510 Microsoft)."""


@dataclass(frozen=True, slots=True)
class Callback:
    """One mid-call event of ACS."""

    call_connection_id: CallConnectionId
    event: Event | None
    """What it means for the flow; None if the flow has no use for it."""
    type: str
    """Its name without ``Microsoft.Communication.``, for example ``PlayCompleted``."""
    operation_context: str | None
    """The id of the command it answers, if it answers one."""
    result: Result
    correlation_id: str = ""
    server_call_id: str = ""


def parse_callbacks(body: bytes) -> tuple[Callback, ...]:
    """Read the body of a callback request.

    An element that cannot be read does not cost the others: it is logged and left out. A
    redelivered element gives an equal callback, also where ACS sent no event id.

    Args:
        body: JSON, an array of CloudEvents or a single one.

    Returns:
        The readable elements in their order; empty for an empty array.

    Raises:
        InvalidRequestError: The body is not JSON, or nothing in it could be read; names the
            field that is missing in the first element.
    """
    try:
        document = json.loads(body)
        elements = document if isinstance(document, list) else [document]
        return _parse_elements(elements)
    except (ValueError, RecursionError) as err:
        raise InvalidRequestError("callback: the body is not JSON") from err


def parse_incoming_call(event_id: str, data: Json) -> CallOffered:
    """Read the ``data`` of an Event Grid ``IncomingCall`` event.

    Works for phone numbers, ACS users, anonymous callers and Teams resource accounts, whose
    identifiers have nothing in common but ``rawId``.

    Args:
        event_id: The id of the Event Grid event, the same on redelivery.
        data: The ``data`` object.

    Raises:
        InvalidRequestError: A field without which the call cannot be answered is missing.
    """
    context = _require(data, "incomingCallContext", within="data")
    caller = _require(_object(data, "from"), "rawId", within="data.from")
    return CallOffered(
        id=EventId(event_id),
        caller=Party(raw_id=caller),
        callee=Party(raw_id=_text(_object(data, "to").get("rawId"))),
        incoming_call_context=context,
        correlation_id=_require(data, "correlationId", within="data"),
        server_call_id=_text(data.get("serverCallId")),
    )


def _parse_elements(elements: list[object]) -> tuple[Callback, ...]:
    callbacks: list[Callback] = []
    problems: list[InvalidRequestError] = []
    for element in elements:
        try:
            callbacks.append(_parse_element(element))
        except InvalidRequestError as err:
            problems.append(err)
    if problems and not callbacks:
        raise problems[0]
    for problem in problems:
        logger.warning("callback element left out", extra={"problem": str(problem)})
    return tuple(callbacks)


def _parse_element(element: object) -> Callback:
    if not isinstance(element, dict):
        raise InvalidRequestError("callback: an element is not an object")
    kind = _require(element, "type", within="callback").rpartition(".")[2]
    data = _object(element, "data")
    information = _object(data, "resultInformation")
    context = _text(data.get("operationContext"))
    callback = Callback(
        call_connection_id=CallConnectionId(_require(data, "callConnectionId", within="data")),
        event=None,
        type=kind,
        operation_context=context or None,
        result=Result(_number(information.get("code")), _number(information.get("subCode"))),
        correlation_id=_text(data.get("correlationId")),
        server_call_id=_text(data.get("serverCallId")),
    )
    translate = _TRANSLATIONS.get(kind)
    if translate is None:
        return callback
    event_id = EventId(_text(element.get("id")) or _digest(element))
    return replace(callback, event=translate(event_id, callback, data))


def _connected(event_id: EventId, callback: Callback, _: Json) -> Event:
    return CallConnected(event_id, callback.call_connection_id, callback.server_call_id)


def _ended(event_id: EventId, callback: Callback, _: Json) -> Event:
    return CallEnded(event_id, callback.result)


def _prompt_started(event_id: EventId, callback: Callback, _: Json) -> Event:
    return PromptStarted(event_id, callback.operation_context or "")


def _prompt_finished(event_id: EventId, callback: Callback, _: Json) -> Event:
    return PromptFinished(event_id, callback.operation_context or "")


def _prompt_failed(event_id: EventId, callback: Callback, _: Json) -> Event:
    return PromptFailed(event_id, callback.operation_context or "", callback.result)


def _recognized(event_id: EventId, callback: Callback, data: Json) -> Event:
    context = callback.operation_context or ""
    tones = _tones(_object(data, "dtmfResult").get("tones"))
    if tones:
        return TonesCollected(event_id, context, tones)
    speech, choice = _object(data, "speechResult"), _object(data, "choiceResult")
    text = _text(speech.get("speech")).strip() or _text(choice.get("label")).strip()
    if text:
        heard = speech if _text(speech.get("speech")).strip() else choice
        return SpeechRecognized(event_id, context, text, _confidence(heard.get("confidence")))
    # Something was recognized and nothing of it reached us: the flow has to ask again.
    return RecognizeFailed(event_id, context, RecognizeFailure.NOT_UNDERSTOOD, callback.result)


def _not_recognized(event_id: EventId, callback: Callback, _: Json) -> Event:
    reason = _RECOGNIZE_FAILURES.get(callback.result.sub_code, RecognizeFailure.SERVICE)
    return RecognizeFailed(event_id, callback.operation_context or "", reason, callback.result)


def _recognize_canceled(event_id: EventId, callback: Callback, _: Json) -> Event:
    return RecognizeCanceled(event_id, callback.operation_context or "")


def _transfer_accepted(event_id: EventId, callback: Callback, _: Json) -> Event:
    return TransferAccepted(event_id, callback.operation_context or "")


def _transfer_failed(event_id: EventId, callback: Callback, _: Json) -> Event:
    reason = _transfer_failure(callback.result)
    return TransferFailed(event_id, callback.operation_context or "", reason, callback.result)


_TRANSLATIONS: dict[str, Callable[[EventId, Callback, Json], Event]] = {
    "CallConnected": _connected,
    "CallDisconnected": _ended,
    "AnswerFailed": _ended,
    "CreateCallFailed": _ended,
    "ConnectFailed": _ended,
    "PlayStarted": _prompt_started,
    "PlayCompleted": _prompt_finished,
    "PlayCanceled": _prompt_finished,
    "PlayFailed": _prompt_failed,
    "RecognizeCompleted": _recognized,
    "RecognizeFailed": _not_recognized,
    "RecognizeCanceled": _recognize_canceled,
    "CallTransferAccepted": _transfer_accepted,
    "CallTransferFailed": _transfer_failed,
}


def _transfer_failure(result: Result) -> TransferFailure:
    known = _TRANSFER_SUB_CODES.get(result.sub_code)
    if known is not None:
        return known
    source, sip_code = divmod(result.sub_code, 1000)
    code = sip_code if source in _SIP_SOURCES else result.code
    return _TRANSFER_SIP_CODES.get(code, TransferFailure.FAILED)


def _tones(value: object) -> str:
    names = value if isinstance(value, list) else []
    return "".join(_TONES.get(_text(name).lower(), "") for name in names)


def _require(holder: object, name: str, *, within: str) -> str:
    text = _text(holder.get(name)) if isinstance(holder, dict) else ""
    if not text:
        raise InvalidRequestError(f"{within}.{name} is missing")
    return text


def _object(holder: object, name: str) -> Json:
    value = holder.get(name) if isinstance(holder, dict) else None
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    # JSON can hold half a surrogate pair, which nothing behind us could store.
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0
    try:
        return int(value)
    except (ValueError, OverflowError):
        return 0


def _confidence(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value)


def _digest(element: Json) -> str:
    canonical = json.dumps(element, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()

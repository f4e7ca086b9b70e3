"""The bodies of mid-call events (CloudEvents) and of the Event Grid event of an incoming call."""

from datetime import UTC, datetime
from uuid import uuid4

from simulator.acs.calls import RESOURCE_ID, SimCall
from simulator.acs.errors import Json
from simulator.acs.identifiers import address_of, identifier
from simulator.acs.media import Origin
from simulator.acs.results import Result

_TOPIC = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/rg/providers/"
    "microsoft.communication/communicationservices/acs-simulator"
)


def call_event(
    call: SimCall, name: str, result: Result, origin: Origin, extra: Json | None = None
) -> Json:
    """One CloudEvent about *call*; *name* is the last part of its type."""
    kind = f"Microsoft.Communication.{name}"
    data: Json = {**(extra or {}), "version": call.api_version}
    if origin.operation_context is not None:
        data["operationContext"] = origin.operation_context
    data |= {
        "resultInformation": result.as_json(),
        "callConnectionId": call.call_connection_id,
        "serverCallId": call.server_call_id,
        "correlationId": call.correlation_id,
        "publicEventType": kind,
    }
    return {
        "id": str(uuid4()),
        "source": f"calling/callConnections/{call.call_connection_id}",
        "type": kind,
        "data": data,
        "time": cloud_time(datetime.now(UTC)),
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "subject": f"calling/callConnections/{call.call_connection_id}",
    }


def incoming_call_event(call: SimCall, context: str) -> Json:
    """The Event Grid event that says that *call* is ringing."""
    caller, callee = address_of(call.caller), address_of(call.callee)
    # Calls between ACS users have no leading segment.
    head = "/phoneCall" if call.caller.startswith("4:") else ""
    return {
        "id": f"{call.correlation_id}_{uuid4().hex}.{RESOURCE_ID[:7]}",
        "topic": _TOPIC,
        "subject": f"{head}/caller/{caller}/recipient/{callee}",
        "data": {
            "to": _event_grid_party(call.callee),
            "from": _event_grid_party(call.caller),
            "serverCallId": call.server_call_id,
            "callerDisplayName": "",
            "incomingCallContext": context,
            "correlationId": call.correlation_id,
        },
        "eventType": "Microsoft.Communication.IncomingCall",
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "eventTime": event_grid_time(datetime.now(UTC)),
    }


def recording_event(call: SimCall, recording_id: str, state: str, started_at: datetime) -> Json:
    """The CloudEvent that says that a recording runs or does not."""
    kind = "Microsoft.Communication.RecordingStateChanged"
    source = f"calling/recordings/{call.server_call_id}/{recording_id}/RecordingStateChanged"
    return {
        "id": str(uuid4()),
        "source": source,
        "type": kind,
        "data": {
            "eventSource": source,
            "recordingId": recording_id,
            "state": state,
            "startDateTime": cloud_time(started_at),
            "recordingKind": "azureCommunicationServices",
            "version": call.api_version,
            "callConnectionId": call.call_connection_id,
            "serverCallId": call.server_call_id,
            "correlationId": call.correlation_id,
            "publicEventType": kind,
        },
        "time": cloud_time(datetime.now(UTC)),
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "subject": source,
    }


def recording_file_event(call: SimCall, recording_id: str, data: Json) -> Json:
    """The Event Grid event that says that a recording can be fetched."""
    return {
        "id": str(uuid4()),
        "topic": _TOPIC,
        "subject": f"/recording/call/{call.server_call_id}/recordingId/{recording_id}",
        "data": data,
        "eventType": "Microsoft.Communication.RecordingFileStatusUpdated",
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "eventTime": event_grid_time(datetime.now(UTC)),
    }


def event_grid_time(at: datetime) -> str:
    """Seven fraction digits and a Z."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def _event_grid_party(raw_id: str) -> Json:
    party = identifier(raw_id)
    return {"kind": party.pop("kind"), **party}


def cloud_time(at: datetime) -> str:
    """Up to seven fraction digits, trailing zeros cut, as the service writes it."""
    fraction = f"{at.microsecond:06d}".rstrip("0")
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + "+00:00"

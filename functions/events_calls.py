"""What Event Grid tells us: a phone is ringing, a recording is ready."""

import azure.functions as func

from functions.boundary import event_boundary
from functions.wire import time_of
from shared.calls.callbacks import parse_incoming_call
from shared.calls.recording_events import parse_recording_ready
from shared.resources import resources
from shared.state.session_ids import session_id_for

bp = func.Blueprint()


@bp.event_grid_trigger(arg_name="event")
@event_boundary
async def on_incoming_call(event: func.EventGridEvent) -> None:
    """Answer the call."""
    offered = parse_incoming_call(event.id, event.get_json())
    runner = await resources().runner.get()
    session_id = session_id_for(offered.correlation_id, at=time_of(event))
    await runner.receive(session_id, offered, begins_session=True)


@bp.event_grid_trigger(arg_name="event")
@event_boundary
async def on_recording_ready(event: func.EventGridEvent) -> None:
    """Transcribe the recording and keep the text with the session."""
    ready = parse_recording_ready(event.subject, event.get_json())
    recordings = await resources().recordings.get()
    await recordings.keep(ready)

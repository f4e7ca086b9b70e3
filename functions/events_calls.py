"""What Event Grid tells us: a phone is ringing."""

import azure.functions as func

from functions.boundary import event_boundary
from functions.wire import time_of
from shared.calls.callbacks import parse_incoming_call
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

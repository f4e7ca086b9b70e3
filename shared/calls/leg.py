"""The rules of the call itself: how it begins, how it ends, how it goes to a person.

Part of the flow, see `flow.py`: pure, and total together with it.
"""

from shared.agent.turn import Cue, CueKind
from shared.calls import events as ev
from shared.calls.commands import Answer, Dial, StartRecording
from shared.calls.draft import Draft, kind_of
from shared.calls.state import Channel, Phase
from shared.types import CommandId


def on_call_offered(draft: Draft, event: ev.CallOffered) -> None:
    """A phone rings for us: take the call."""
    if draft.state.phase is not Phase.NEW:
        return
    draft.set(
        phase=Phase.RINGING,
        caller=event.caller,
        callee=event.callee,
        correlation_id=event.correlation_id,
        server_call_id=event.server_call_id,
    )
    draft.issue(Answer, incoming_call_context=event.incoming_call_context)


def on_call_placed(draft: Draft, event: ev.CallPlaced) -> None:
    """A client wants us to call someone: dial."""
    if draft.state.phase is not Phase.NEW:
        return
    draft.set(phase=Phase.RINGING, is_outbound=True, caller=event.target, reason=event.reason)
    draft.issue(Dial, target=event.target)


def on_call_accepted(draft: Draft, event: ev.CallAccepted) -> None:
    """ACS gave the call its name."""
    draft.close(event.command_id)
    _name_call(draft, event)
    if draft.state.phase is Phase.HANGING_UP:
        draft.hang_up()


def on_call_connected(draft: Draft, event: ev.CallConnected) -> None:
    """Both ends hear each other: greet."""
    phase = draft.state.phase
    if phase not in (Phase.RINGING, Phase.HANGING_UP):
        return
    _name_call(draft, event)
    if phase is Phase.RINGING:
        greet(draft)
    elif not any(kind_of(command_id) == "hangup" for command_id in draft.state.open):
        draft.close_all()
        draft.hang_up()


def greet(draft: Draft) -> None:
    """Begin the conversation, whoever said that the call is connected."""
    # Proves that the Answer or Dial was carried out, even if its own answer got lost.
    draft.close_all()
    draft.respond(Cue(CueKind.GREETING))
    if draft.state.is_recorded:
        draft.issue(StartRecording)  # after the greeting is on its way: nobody waits for it


def _name_call(draft: Draft, event: ev.CallAccepted | ev.CallConnected) -> None:
    draft.set(
        call_connection_id=draft.state.call_connection_id or event.call_connection_id,
        server_call_id=event.server_call_id or draft.state.server_call_id,
    )


def on_hang_up_requested(draft: Draft, event: ev.HangUpRequested) -> None:
    """A client wants the call to end."""
    state = draft.state
    if state.phase in (Phase.NEW, Phase.HANGING_UP, Phase.ENDED):
        return
    if state.call_connection_id or state.channel is Channel.CHAT:
        draft.close_all()
        draft.hang_up()
    else:
        # The call has no name yet: hang up as soon as it gets one.
        draft.set(phase=Phase.HANGING_UP)


def on_call_ended(draft: Draft, event: ev.CallEnded) -> None:
    """The call is over, whoever ended it; nothing is left to do."""
    state = draft.state
    if state.phase in (Phase.NEW, Phase.ENDED):
        return
    if event.result.sub_code == 7015:  # the leg left because a transfer completed
        outcome = "transferred"
    elif state.phase is Phase.RINGING:
        outcome = "not_connected"
    else:
        outcome = "completed" if state.phase is Phase.HANGING_UP else "caller_left"
    draft.end(outcome)


def on_transfer_accepted(draft: Draft, event: ev.TransferAccepted) -> None:
    """The person took the call."""
    if kind_of(event.operation_context) != "transfer":
        return
    # May come after the CallEnded that it caused; the outcome is the same either way.
    draft.close(CommandId(event.operation_context))
    draft.set(outcome="transferred")


def on_transfer_failed(draft: Draft, event: ev.TransferFailed) -> None:
    """The person did not take the call."""
    if event.operation_context == draft.state.prompt:
        transfer_failed(draft, event.reason)


def transfer_failed(draft: Draft, reason: ev.TransferFailure) -> None:
    """Try the next person, or tell the caller, who is still with us, that nobody is there."""
    if draft.state.phase is not Phase.TRANSFERRING:
        return
    draft.close(draft.state.prompt)
    if draft.state.transfer_next:
        target, *others = draft.state.transfer_next
        draft.set(transfer_to=target, transfer_next=tuple(others))
        draft.respond(Cue(CueKind.TRANSFER_NEXT, reason))
    else:
        draft.respond(Cue(CueKind.TRANSFER_FAILED, reason))


def recording_started(draft: Draft) -> None:
    """Let the caller leave the message that the recording was begun for."""
    draft.set(outcome="voicemail")
    draft.respond(Cue(CueKind.VOICEMAIL))


def voicemail_failed(draft: Draft) -> None:
    """Tell the caller, who is still with us, that no message can be left."""
    draft.set(outcome="")
    draft.respond(Cue(CueKind.VOICEMAIL_FAILED))

"""A step while it is being written: what the rules of `flow.py` are written in."""

from dataclasses import replace
from typing import Any

from shared.agent.turn import After, Cue, CueKind
from shared.calls.commands import (
    Archive,
    Command,
    HangUp,
    Listen,
    RunTurn,
    StartRecording,
    Transfer,
)
from shared.calls.events import CommandEvent, TurnEvent
from shared.calls.state import NO_COMMAND, CallState, Channel, Phase
from shared.types import AgentName, CommandId, Json


def kind_of(command_id: str) -> str:
    """The kind of command an id was made for, for example ``listen`` of ``listen-12``."""
    return command_id.partition("-")[0]


def is_awaited(state: CallState, event: CommandEvent) -> bool:
    """Whether *event* reports on a command that is still to be done, in a way that fits it."""
    is_fitting = not isinstance(event, TurnEvent) or kind_of(event.command_id) == "runturn"
    return is_fitting and event.command_id in state.open


class Draft:
    """Collects the consequences of one event; gone when the event is decided."""

    def __init__(self, state: CallState) -> None:
        self.state = state
        self.commands: list[Command] = []
        self.done: list[CommandId] = []
        self.messages: list[tuple[AgentName, Json]] = []

    def set(self, **changes: Any) -> None:
        """Change the state."""
        self.state = replace(self.state, **changes)

    def issue(self, make: type[Command], **details: Any) -> CommandId:
        """Decide a command and return its id."""
        serial = self.state.serial + 1
        command = make(CommandId(f"{make.__name__.lower()}-{serial}"), **details)
        self.commands.append(command)
        self.set(serial=serial, open=(*self.state.open, command.id))
        return command.id

    def close(self, *command_ids: CommandId) -> None:
        """Take commands out of the outbox; those that are not in it do not count."""
        closed = [one for one in command_ids if one in self.state.open]
        if closed:
            self.done.extend(closed)
            self.set(open=tuple(one for one in self.state.open if one not in closed))

    def close_all(self) -> None:
        """Call off everything that is still to be done."""
        self.close(*self.state.open)

    def say(self, role: str, content: str, **facts: str) -> None:
        """Add what somebody said to the current agent's history."""
        self.record({"role": role, "content": content, **facts})

    def record(self, message: Json) -> None:
        """Add a message to the current agent's history; ``n`` orders messages across agents."""
        serial = self.state.serial + 1
        self.set(serial=serial)
        body = {**message, "turn": self.state.turn, "n": serial}
        self.messages.append((self.state.agent, body))

    def heard(self, operation_context: str) -> bool:
        """Close the Listen that *operation_context* names; False if it is not the current one."""
        is_listening = self.state.phase in (Phase.LISTENING, Phase.RECORDING)
        if not is_listening or operation_context != self.state.prompt:
            return False
        self.close(self.state.prompt)
        return True

    def is_parting_with(self, kind: str, command_id: str) -> bool:
        """Whether our leaving waits for that command, and it is of that *kind*."""
        is_awaited = self.state.phase is Phase.PARTING and command_id == self.state.prompt
        return is_awaited and kind_of(command_id) == kind

    def respond(self, cue: Cue, words: str = "", event_id: str = "") -> None:
        """Begin a turn; *words* are what the caller said, typed or wrote, if anything."""
        self.set(phase=Phase.THINKING, turn=self.state.turn + 1, cue=cue.kind, prompt=NO_COMMAND)
        if words:
            self.say("user", words, event=event_id)
        self.issue(
            RunTurn,
            turn=self.state.turn,
            agent=self.state.agent,
            cue=cue,
            failures=self.state.failures,
        )

    def goodbye(self) -> None:
        """Begin the last turn."""
        self.respond(Cue(CueKind.GOODBYE))

    def listen(self, text: str) -> None:
        """Say *text* and give the caller the floor."""
        if self.state.channel is Channel.CHAT:
            self.set(phase=Phase.LISTENING)
            return
        if self.state.caller is None:
            self.hang_up()  # a call without a party cannot be listened to
            return
        agent, caller = self.state.agent, self.state.caller
        is_message = self.state.cue is CueKind.VOICEMAIL
        listen = self.issue(Listen, agent=agent, text=text, target=caller, is_message=is_message)
        self.set(phase=Phase.RECORDING if is_message else Phase.LISTENING, prompt=listen)

    def leave(self) -> None:
        """Do what was to follow our last words."""
        if self.state.after is After.TRANSFER and self.state.transfer_to is not None:
            transfer = self.issue(Transfer, target=self.state.transfer_to)
            self.set(phase=Phase.TRANSFERRING, prompt=transfer)
        elif self.state.after is After.VOICEMAIL:
            # First of all, so that no word gets lost and nothing is promised that cannot be done.
            self.set(is_recorded=True)
            self.set(prompt=self.issue(StartRecording))
        else:
            self.hang_up()

    def hang_up(self) -> None:
        """End the session from our side."""
        if self.state.channel is Channel.CHAT:
            self.end("completed")
            return
        self.issue(HangUp)
        self.set(phase=Phase.HANGING_UP, prompt=NO_COMMAND)

    def end(self, outcome: str) -> None:
        """The session is over; nothing that was still to be done makes sense any more."""
        self.close_all()
        self.issue(Archive)
        self.set(
            phase=Phase.ENDED,
            prompt=NO_COMMAND,
            outcome=self.state.outcome or outcome,
        )

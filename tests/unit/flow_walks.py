"""Events for walks through the flow: likely ones, stale ones, absurd ones."""

from collections.abc import Callable
from random import Random

from shared.agent.turn import After
from shared.calls import events as ev
from shared.calls.state import CallState
from shared.types import AgentName, CallConnectionId, CommandId, EventId, SessionId

CALLER = ev.Party("4:+15551230000")
PERSON = ev.Party("4:+15554560000")
FRESH = CallState(session_id=SessionId("s"), agent=AgentName("concierge"))

_TEXTS = ("", " ", "my balance, please", "1234")
_COMMANDS = ("answer", "dial", "speak", "listen", "runturn", "transfer", "hangup", "startrecording")
_CALL = CallConnectionId("cc")


def any_event(state: CallState, random: Random) -> ev.Event:
    """An event that may come in *state*; one about its own commands is likely."""
    known = [*state.open, *([state.prompt] if state.prompt else [])]
    if known and random.random() < 0.8:
        about = random.choice(known)
    else:
        about = CommandId(f"{random.choice(_COMMANDS)}-{random.randint(1, 40)}")
    event_id = EventId(f"e{random.getrandbits(64)}")
    return random.choice(_MAKERS)(event_id, about, random)


_MAKERS: tuple[Callable[[EventId, CommandId, Random], ev.Event], ...] = (
    lambda id_, _, __: ev.CallOffered(id_, CALLER, PERSON, "ctx", "corr"),
    lambda id_, _, __: ev.CallPlaced(id_, CALLER),
    lambda id_, _, __: ev.CallConnected(id_, _CALL),
    lambda id_, about, rng: ev.SpeechRecognized(id_, about, rng.choice(_TEXTS)),
    lambda id_, about, rng: ev.TonesCollected(id_, about, rng.choice(_TEXTS)),
    lambda id_, about, rng: ev.RecognizeFailed(id_, about, rng.choice(list(ev.RecognizeFailure))),
    lambda id_, about, __: ev.RecognizeCanceled(id_, about),
    lambda id_, about, __: ev.PromptStarted(id_, about),
    lambda id_, about, __: ev.PromptFinished(id_, about),
    lambda id_, about, __: ev.PromptFailed(id_, about),
    lambda id_, about, __: ev.TransferAccepted(id_, about),
    lambda id_, about, rng: ev.TransferFailed(id_, about, rng.choice(list(ev.TransferFailure))),
    lambda id_, _, rng: ev.CallEnded(id_, ev.Result(200, rng.choice((0, 7000, 7015, 560000)))),
    lambda id_, _, __: ev.CallFoundSilent(id_),
    lambda id_, _, __: ev.HangUpRequested(id_),
    lambda id_, _, __: ev.ChatOpened(id_),
    lambda id_, _, rng: ev.TextReceived(id_, rng.choice(_TEXTS)),
    lambda id_, about, __: ev.CommandDone(id_, about),
    lambda id_, about, __: ev.CallAccepted(id_, about, _CALL),
    lambda id_, about, rng: ev.CommandFailed(id_, about, rng.choice(list(ev.CommandFailure))),
    lambda id_, about, rng: ev.SentenceReady(id_, about, rng.choice(_TEXTS)),
    lambda id_, about, __: ev.ToolsRan(id_, about, ({"role": "tool", "content": "{}"},)),
    lambda id_, about, __: ev.AgentSwitched(id_, about, AgentName("fraud")),
    lambda id_, about, rng: ev.TurnFinished(
        id_,
        about,
        rng.choice(_TEXTS),
        rng.choice(list(After)),
        rng.choice((None, PERSON)),
        rng.choice(((), (PERSON,))),
        rng.random() < 0.3,
    ),
)

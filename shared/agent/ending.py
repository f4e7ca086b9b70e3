"""What follows the agent's last words, kept with the session: who takes a turn over must know."""

from shared.agent.turn import After, Finished, TurnRequest

_KEY = "ending"


def keep_ending(request: TurnRequest, ending: Finished) -> None:
    """Remember how this turn is to end; its words are not known yet."""
    request.memory.set_context(
        _KEY,
        {
            "turn": request.turn,
            "after": ending.after.value,
            "transfer_to": ending.transfer_to,
            "transfer_next": list(ending.transfer_next),
        },
    )


def ending_of(request: TurnRequest) -> Finished:
    """How this turn is to end: as it was decided elsewhere, else the caller speaks next."""
    kept = request.memory.get_context(_KEY)
    if not isinstance(kept, dict) or kept.get("turn") != request.turn:
        return Finished("")
    return Finished("", After(kept["after"]), kept["transfer_to"], tuple(kept["transfer_next"]))

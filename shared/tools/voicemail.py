"""Leaving a message, where neither a person nor a callback will do.

Like a transfer it is asked for: the call starts the recording when the agent has finished speaking,
and tells the caller itself when to speak, or that no message can be left.
"""

from shared.tools.context import ToolContext
from shared.tools.failures import ToolRefusedError
from shared.tools.policy import ToolPolicy
from shared.tools.registration import ToolRegistrar
from shared.types import Json

_LEAVE_VOICEMAIL: Json = {
    "name": "leave_voicemail",
    "description": (
        "Let the caller record a message for the bank, when nobody can be reached and the caller "
        "does not want to be called back."
    ),
    "parameters": {"type": "object", "properties": {}, "required": []},
}


def register(registry: ToolRegistrar) -> None:
    """Bring in the tool that records a message."""
    registry.register(
        _LEAVE_VOICEMAIL["name"],
        _LEAVE_VOICEMAIL,
        leave_voicemail,
        tags={"escalation", "transfer", "voicemail"},
        policy=ToolPolicy(callers=frozenset({"agent"})),
    )


async def leave_voicemail(_: Json, context: ToolContext) -> Json:
    """Ask for the recording of a message; what it says is kept with the session.

    Raises:
        ToolRefusedError: Nobody would ever hear it, for there is no speech service.
    """
    if not context.services.takes_voicemail:
        raise ToolRefusedError(
            "No message can be recorded here. Offer a callback with schedule_callback.",
            missing="speech_service",
        )
    return {
        "success": True,
        "voicemail_requested": True,
        "message": (
            "The recording begins when you have finished speaking; the caller is told then. Say "
            "one short sentence, for example that you are getting it ready."
        ),
    }

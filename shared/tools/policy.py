"""What must be true before a tool runs, decided in code and not in a prompt."""

from dataclasses import dataclass
from enum import StrEnum

from shared.tools.context import ToolContext
from shared.tools.failures import ToolDefinitionError, ToolRefusedError
from shared.tools.keys import fingerprint
from shared.types import Json

_QUESTION = "tool_confirmation"


class Authentication(StrEnum):
    """How sure we must be who the caller is."""

    NONE = "none"
    IDENTIFIED = "identified"
    """Name and shared secret were verified in this session."""
    MFA = "mfa"
    """Identified, and a second factor was verified in this session."""


@dataclass(frozen=True, slots=True)
class ToolPolicy:
    """The rules of one tool."""

    authentication: Authentication = Authentication.NONE
    has_side_effects: bool = False
    """Runs at most once per idempotency key; see `run.py`."""
    needs_confirmation: bool = False
    """The caller must have had the chance to say no; see `require_confirmation`."""
    max_amount: float | None = None
    """The highest ``amount`` argument."""
    timeout_s: float = 5.0
    callers: frozenset[str] = frozenset({"agent", "http"})

    def __post_init__(self) -> None:
        if not self.timeout_s > 0:
            raise ToolDefinitionError("timeout_s must be greater than 0")
        if not self.callers or not self.callers <= {"agent", "http"}:
            raise ToolDefinitionError("callers must be agent, http or both")


def check(policy: ToolPolicy, arguments: Json, context: ToolContext) -> None:
    """Refuse the call if a rule forbids it; pure, and the same every time.

    Who the caller is comes from the session alone. So a call over HTTP that belongs to no session
    is nobody's, and every tool that needs an identified caller refuses it, without exception.

    Raises:
        ToolRefusedError: ``missing`` is ``caller``, ``authentication``, ``mfa``, ``client_id`` or
            ``amount``.
    """
    if context.channel not in policy.callers:
        raise ToolRefusedError("This tool cannot be called from here.", missing="caller")
    _check_identity(policy, arguments, context)
    amount = arguments.get("amount")
    limit = policy.max_amount
    if limit is not None and isinstance(amount, int | float) and amount > limit:
        raise ToolRefusedError(
            f"Amounts above {limit:g} need a person. Offer to connect the caller.",
            missing="amount",
        )


def _check_identity(policy: ToolPolicy, arguments: Json, context: ToolContext) -> None:
    own = context.client_id
    if policy.authentication is not Authentication.NONE and own is None:
        raise ToolRefusedError(
            "The caller is not identified yet. Verify full name and last four digits first.",
            missing="authentication",
        )
    if policy.authentication is Authentication.MFA and not context.is_mfa_verified:
        raise ToolRefusedError("The caller must confirm a one-time code first.", missing="mfa")
    named = arguments.get("client_id")
    # Models fill a property they know nothing for with an empty text.
    if own is not None and named not in (None, "", own):
        raise ToolRefusedError(
            "Only the verified caller's own records may be used. Leave client_id out.",
            missing="client_id",
        )


def require_confirmation(tool: str, arguments: Json, context: ToolContext) -> None:
    """Refuse the first call of its kind and remember it; let the same call of a later turn pass.

    The model cannot confirm for the caller: an idempotency key belongs to a turn, so the same
    tool with the same arguments under another key means that the caller has spoken in between.
    A confirmation is good for one key, however often that call is delivered.

    Raises:
        ToolRefusedError: ``missing`` is ``confirmation``.
    """
    call = {"tool": tool, "arguments": fingerprint(arguments)}
    known = context.memo.get_context(_QUESTION, None)
    key = context.idempotency_key
    if isinstance(known, dict) and {name: known.get(name) for name in call} == call:
        confirmed = known.get("confirmed_by")
        if confirmed is not None and key == confirmed:
            return
        if confirmed is None and key and key != known.get("asked_by"):
            context.memo.set_context(_QUESTION, {**known, "confirmed_by": key})
            return
    context.memo.set_context(_QUESTION, {**call, "asked_by": key, "confirmed_by": None})
    raise ToolRefusedError(
        "Say what will be done and ask for a yes. Call again only after the caller agreed.",
        missing="confirmation",
    )

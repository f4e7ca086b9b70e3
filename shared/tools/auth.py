"""Finding out who is calling."""

import hmac

from shared.errors import UpstreamError
from shared.tools.context import (
    AUTHENTICATED,
    CALLER_NAME,
    CLIENT_ID,
    MFA_VERIFIED,
    SessionFacts,
    ToolContext,
)
from shared.tools.failures import ToolRefusedError
from shared.tools.records import Customer
from shared.tools.registration import ToolRegistrar
from shared.types import Json

MAX_TRIES = 5
_TRIES = "failed_verifications"


def register(registry: ToolRegistrar) -> None:
    """Bring in the tools that verify a caller."""
    registry.register(
        "verify_client_identity",
        {
            "name": "verify_client_identity",
            "description": (
                "Verify the caller by full name and the last four digits of the social security "
                "number. Needed before anything about the caller's accounts."
            ),
            "parameters": {
                "type": "object",
                "properties": {
                    "full_name": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 120,
                        "description": "First and last name as the caller said it.",
                    },
                    "ssn_last_4": {
                        "type": "string",
                        "pattern": "^[0-9]{4}$",
                        "description": "Four digits without blanks.",
                    },
                },
                "required": ["full_name", "ssn_last_4"],
            },
        },
        verify_client_identity,
        tags={"auth"},
    )


async def verify_client_identity(arguments: Json, context: ToolContext) -> Json:
    """Verify name and last four digits together; either alone is worth nothing.

    On success the session knows ``client_id``, ``caller_name`` and ``authenticated``. After
    `MAX_TRIES` failures the session cannot verify anybody any more.

    Raises:
        ToolRefusedError: No session to verify somebody in, or too many tries.
    """
    memo = context.memo
    _count_try(context)
    try:
        customer = await _match(arguments["full_name"], arguments["ssn_last_4"], context)
    except UpstreamError:
        # Our fault, not a guess of the caller's.
        memo.set_context(_TRIES, _tries(context) - 1)
        raise
    if customer is None:
        return {
            "success": False,
            "authenticated": False,
            "error": "not_verified",
            "message": "Name and digits do not match our records. Ask the caller to repeat both.",
            "data_source": context.services.records.source,
        }
    _remember(customer, memo)
    return {
        "success": True,
        "authenticated": True,
        "client_id": customer.client_id,
        "caller_name": customer.full_name,
        "message": "The caller is verified.",
        "data_source": context.services.records.source,
    }


def _count_try(context: ToolContext) -> None:
    if context.session_id is None:
        # Tries are counted in a session; without one they could be repeated for ever.
        raise ToolRefusedError("Verification needs a session.", missing="session")
    tries = _tries(context)
    if tries >= MAX_TRIES:
        raise ToolRefusedError(
            "Too many failed tries in this call. Offer to connect the caller with a person.",
            missing="person",
        )
    # Counted before the first await, so that concurrent calls cannot share one try.
    context.memo.set_context(_TRIES, tries + 1)


def _remember(customer: Customer, memo: SessionFacts) -> None:
    memo.set_context(_TRIES, 0)
    memo.set_context(CLIENT_ID, customer.client_id)
    memo.set_context(CALLER_NAME, customer.full_name)
    # A code that somebody else has confirmed proves nothing about this person.
    memo.set_context(MFA_VERIFIED, False)
    memo.set_context(AUTHENTICATED, True)


def _tries(context: ToolContext) -> int:
    tries = context.memo.get_context(_TRIES, 0)
    return tries if isinstance(tries, int) else 0


async def _match(full_name: str, digits: str, context: ToolContext) -> Customer | None:
    """The one customer whom name and digits name; two who share both are nobody."""
    named = await context.services.records.find_customers(full_name)
    matching = [
        each for each in named if hmac.compare_digest(each.ssn_last_4.encode(), digits.encode())
    ]
    return matching[0] if len(matching) == 1 else None

"""Finding out who is calling."""

import asyncio

from shared.errors import AppError
from shared.tools import identity
from shared.tools.context import (
    AUTHENTICATED,
    CALLER_NAME,
    CLIENT_ID,
    MFA_CLIENT_ID,
    SessionFacts,
    ToolContext,
)
from shared.tools.customers import Customer, Customers, comparable_name
from shared.tools.failures import ToolRefusedError
from shared.tools.policy import ToolPolicy
from shared.tools.registration import DATA_SOURCE, ToolRegistrar
from shared.types import Json

MAX_TRIES = 5
"""Failures of a session."""
MAX_TRIES_A_NAME = 20
"""Failures with one name in a day, in whatever sessions: calling again is no way to guess on."""
_TRIES_TTL_S = 24 * 3600


def register(registry: ToolRegistrar) -> None:
    """Bring in the tool that verifies a caller."""
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
        policy=ToolPolicy(),
    )


async def verify_client_identity(arguments: Json, context: ToolContext) -> Json:
    """Verify name and last four digits together; either alone is worth nothing.

    On success the session knows ``client_id``, ``caller_name`` and ``authenticated``. After
    `MAX_TRIES` failures the session cannot verify anybody any more, on whatever instance: a
    success in between starts nothing anew, or somebody could guess for ever by proving to be
    themselves now and then.

    Raises:
        ToolRefusedError: No session to verify somebody in, or too many tries.
    """
    scopes = await _take_try(arguments["full_name"], context)
    try:
        customer = await _match(arguments["full_name"], arguments["ssn_last_4"], context)
    except AppError:
        # Our fault, not a guess of the caller's.
        await _give_back(scopes, context)
        raise
    if customer is None:
        return {
            "success": False,
            "authenticated": False,
            "error": "not_verified",
            "message": "Name and digits do not match our records. Ask the caller to repeat both.",
            "data_source": DATA_SOURCE,
        }
    await _give_back(scopes, context)
    _remember(customer, context.memo)
    return {
        "success": True,
        "authenticated": True,
        "client_id": customer.client_id,
        "caller_name": customer.full_name,
        "message": "The caller is verified.",
        "data_source": DATA_SOURCE,
    }


async def _take_try(full_name: str, context: ToolContext) -> list[str]:
    """Count the try before anything is looked at, so that no two calls share one.

    Names are counted whether anybody has them or not, and are not to be read in the counters.
    """
    if context.session_id is None:
        # Tries are counted in a session; without one they could be repeated for ever.
        raise ToolRefusedError("Verification needs a session.", missing="session")
    name = context.services.codes.digest(comparable_name(full_name), "identity")
    taken: list[str] = []
    for scope, limit in (
        (f"identity:{context.session_id}", MAX_TRIES),
        (f"identity:name:{name}", MAX_TRIES_A_NAME),
    ):
        if not await context.services.limits.take(scope, limit=limit, ttl_s=_TRIES_TTL_S):
            raise ToolRefusedError(
                "Too many failed tries. Offer to connect the caller with a person.",
                missing="person",
            )
        taken.append(scope)
    return taken


async def _give_back(scopes: list[str], context: ToolContext) -> None:
    for scope in scopes:
        await context.services.limits.give_back(scope)


def _remember(customer: Customer, memo: SessionFacts) -> None:
    memo.set_context(CLIENT_ID, customer.client_id)
    memo.set_context(CALLER_NAME, customer.full_name)
    # A code that somebody else has confirmed proves nothing about this person.
    memo.set_context(MFA_CLIENT_ID, None)
    memo.set_context(AUTHENTICATED, True)


async def _match(full_name: str, digits: str, context: ToolContext) -> Customer | None:
    """The one customer whom name and digits name; two who share both are nobody."""
    named = await Customers(context.services.documents).named(full_name)
    if not named:
        await identity.is_match(None, digits)
    verdicts = await asyncio.gather(
        *(identity.is_match(each.protected_digits, digits) for each in named)
    )
    matching = [each for each, is_right in zip(named, verdicts, strict=True) if is_right]
    return matching[0] if len(matching) == 1 else None

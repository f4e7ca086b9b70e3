"""The second factor: a code that goes to the phone or the mailbox the bank has on file.

The code is in the message and nowhere else: neither a result nor a log nor the store has it.
"""

from shared.errors import UpstreamError
from shared.telemetry.logs import get_logger
from shared.tools.codes import CODE_PATTERN
from shared.tools.context import MFA_CLIENT_ID, ToolContext
from shared.tools.customers import Customer, Customers, masked
from shared.tools.failures import (
    ToolFailedError,
    ToolRefusedError,
    ToolRetryError,
    nothing_done_yet,
)
from shared.tools.policy import Authentication, ToolPolicy
from shared.tools.registration import CLIENT_ID_PROPERTY, ToolRegistrar
from shared.types import Json, SessionId

logger = get_logger(__name__)

EXPIRES_S = 300
TRIES = 5
SENDS_PER_SESSION, _SESSION_S = 3, 900
SENDS_PER_CLIENT, _CLIENT_S = 10, 3600

_PURPOSE = "mfa"
_SEND = ToolPolicy(authentication=Authentication.IDENTIFIED, has_side_effects=True, timeout_s=8.0)
# Not through the ledger: the store of codes itself knows who has used one up, and a code that was
# confirmed has to be noted in the session whenever the call is run again.
_VERIFY = ToolPolicy(authentication=Authentication.IDENTIFIED)


def _send_schema(name: str, description: str) -> Json:
    return {
        "name": name,
        "description": description,
        "parameters": {
            "type": "object",
            "properties": {
                "client_id": CLIENT_ID_PROPERTY,
                "method": {
                    "type": "string",
                    "enum": ["sms", "email"],
                    "default": "sms",
                    "description": "Where to; the address is the one on file.",
                },
            },
        },
    }


_SEND_CODE = _send_schema(
    "send_mfa_code",
    "Send a six-digit code to the phone or mailbox of the verified caller. Then ask for the code.",
)
_RESEND_CODE = _send_schema(
    "resend_mfa_code",
    "Send a new code, because the first one did not arrive. The first one is void then.",
)
_VERIFY_CODE: Json = {
    "name": "verify_mfa_code",
    "description": "Check the code that the caller reads out. You never know the code yourself.",
    "parameters": {
        "type": "object",
        "properties": {
            "client_id": CLIENT_ID_PROPERTY,
            "code": {
                "type": "string",
                "pattern": CODE_PATTERN,
                "description": "Six digits without blanks, as the caller said them.",
            },
        },
        "required": ["code"],
    },
}


def register(registry: ToolRegistrar) -> None:
    """Bring in the tools of the second factor."""
    for schema, executor, policy in (
        (_SEND_CODE, send_mfa_code, _SEND),
        (_VERIFY_CODE, verify_mfa_code, _VERIFY),
        (_RESEND_CODE, send_mfa_code, _SEND),
    ):
        registry.register(schema["name"], schema, executor, tags={"auth", "mfa"}, policy=policy)


async def send_mfa_code(arguments: Json, context: ToolContext) -> Json:
    """Send a new code to the address on file; earlier ones are void.

    Raises:
        ToolRetryError: Nothing can be sent there, or it did not work: another method might.
        ToolRefusedError: Too many codes were sent.
        ToolFailedError: Nobody knows the client, or messages cannot be sent at all.
    """
    client_id, session_id = context.own_client_id(), _session(context)
    services, method = context.services, arguments["method"]
    with nothing_done_yet():
        to = _address(await Customers(services.documents).get(client_id), method, context)
        await _count(client_id, session_id, context)
        code, name = services.codes.new(), _name(client_id)
        digest = services.codes.digest(code, _PURPOSE, session_id, client_id)
        await services.code_store.put(session_id, name, digest, tries=TRIES, ttl_s=EXPIRES_S)
    try:
        await _deliver(method, to, code, context)
    except (UpstreamError, ToolFailedError) as err:
        # It may have arrived; then it must be worth nothing.
        await services.code_store.drop(session_id, name)
        logger.warning("code not delivered", extra={"method": method})
        raise ToolRetryError(
            f"The code could not be sent by {method}. Try the other method, or offer a person."
        ) from err
    return {
        "success": True,
        "code_sent": True,
        "method": method,
        "sent_to": masked(to),
        "expires_in_minutes": EXPIRES_S // 60,
        "message": "A code is on its way. Ask the caller to read it out, then verify_mfa_code.",
    }


async def verify_mfa_code(arguments: Json, context: ToolContext) -> Json:
    """Check the code; a right one lets this session do what needs a second factor."""
    client_id, session_id = context.own_client_id(), _session(context)
    services = context.services
    attempt = await services.code_store.attempt(
        session_id,
        _name(client_id),
        services.codes.digests(arguments["code"], _PURPOSE, session_id, client_id),
        by=context.idempotency_key,
    )
    if attempt.state == "right":
        # Whose code it was: meanwhile the session may have come to know somebody else.
        context.memo.set_context(MFA_CLIENT_ID, client_id)
        return {"success": True, "verified": True, "message": "The code is right."}
    error, message = {
        "wrong": ("not_verified", "The code is wrong. Ask the caller to read it out again."),
        "exhausted": ("no_tries_left", "Too many wrong codes. A new one has to be sent."),
    }.get(attempt.state, ("no_code", "No code is waiting: it has expired or was used. Send one."))
    return {
        "success": False,
        "verified": False,
        "error": error,
        "tries_left": attempt.tries_left,
        "message": message,
    }


def _session(context: ToolContext) -> SessionId:
    if context.session_id is None:
        raise ToolRefusedError("A code belongs to a session.", missing="session")
    return context.session_id


def _name(client_id: str) -> str:
    return f"{_PURPOSE}:{client_id}"


def _address(customer: Customer | None, method: str, context: ToolContext) -> str:
    if customer is None:
        raise ToolFailedError("The bank has no record of the caller.")
    possible = context.services.delivery.methods
    if not possible:
        raise ToolFailedError("Codes cannot be sent from here. Offer a person.")
    address = customer.phone if method == "sms" else customer.email
    if method not in possible or not address:
        raise ToolRetryError(f"A code cannot be sent by {method}. Offer the other method.")
    return address


async def _count(client_id: str, session_id: SessionId, context: ToolContext) -> None:
    limits = context.services.limits
    for scope, limit, ttl_s in (
        (f"{_PURPOSE}:{session_id}", SENDS_PER_SESSION, _SESSION_S),
        (f"{_PURPOSE}:client:{client_id}", SENDS_PER_CLIENT, _CLIENT_S),
    ):
        if not await limits.take(scope, limit=limit, ttl_s=ttl_s):
            raise ToolRefusedError(
                "Too many codes were sent. Offer to connect the caller with a person.",
                missing="person",
            )


async def _deliver(method: str, to: str, code: str, context: ToolContext) -> None:
    minutes = EXPIRES_S // 60
    text = f"Contoso Bank: your code is {code}. It is valid for {minutes} minutes."
    delivery = context.services.delivery
    if method == "sms":
        await delivery.send_sms(to, text)
    else:
        await delivery.send_email(to, "Your code from Contoso Bank", text)

"""From the signature to the card: a code signs once, and only what is signed is granted."""

import secrets

from shared.errors import UpstreamError
from shared.telemetry.logs import get_logger
from shared.tools.applications import Application, Applications, Status
from shared.tools.card_applications import (
    COMMIT,
    PRODUCT,
    PURPOSE,
    client_schema,
    customer_of,
    save,
)
from shared.tools.card_products import product_of
from shared.tools.cards import CardProduct, Cards, words_of
from shared.tools.codes import CODE_PATTERN
from shared.tools.context import ToolContext
from shared.tools.customers import Customer, masked
from shared.tools.failures import (
    ToolFailedError,
    ToolRefusedError,
    ToolRetryError,
    nothing_done_yet,
)
from shared.tools.registration import ToolRegistrar
from shared.types import Json

logger = get_logger(__name__)

_VERIFY = client_schema(
    "verify_esignature",
    "Sign the agreement with the code from the caller's e-mail.",
    {"verification_code": {"type": "string", "pattern": CODE_PATTERN}},
    "verification_code",
)
_FINALIZE = client_schema(
    "finalize_card_application",
    "Grant the card after the agreement was signed.",
    {"card_product_id": PRODUCT, "card_name": {"type": "string", "maxLength": 100}},
    "card_product_id",
)


def register(registry: ToolRegistrar) -> None:
    """Bring in the tools that sign and grant."""
    for schema, executor, topic in (
        (_VERIFY, verify_esignature, "esign"),
        (_FINALIZE, finalize_card_application, "cards"),
    ):
        registry.register(schema["name"], schema, executor, tags={"banking", topic}, policy=COMMIT)


async def verify_esignature(arguments: Json, context: ToolContext) -> Json:
    """Sign the one agreement whose code this is.

    Raises:
        ToolRetryError: The code is wrong, or another request was faster.
        ToolFailedError: No agreement waits for a code.
    """
    services, client_id = context.services, context.own_client_id()
    applications, now = Applications(services.documents), services.clock.now()
    with nothing_done_yet():
        waiting = [each for each in await applications.of(client_id) if each.awaits_code(now)]
    if not waiting:
        raise ToolFailedError("No agreement waits for a code. It expired, or was signed.")
    for each in waiting:
        code = arguments["verification_code"]
        if services.codes.is_match(each.code_digest, code, PURPOSE, client_id, each.product_id):
            await save(applications, each.signed(now))
            return {
                "success": True,
                "verified": True,
                "verified_at": now.isoformat(),
                "card_product_id": each.product_id,
                "credit_limit": each.verdict.credit_limit,
                "next_step": "finalize_card_application",
            }
    for each in waiting:
        await save(applications, each.missed())
    # Not a retry: a try was used, and the same code in the same turn is the same wrong code.
    return {
        "success": False,
        "verified": False,
        "error": "not_verified",
        "tries_left": max(each.code_tries_left for each in waiting) - 1,
        "message": "The code is wrong. Ask the caller to read it out again.",
    }


async def finalize_card_application(arguments: Json, context: ToolContext) -> Json:
    """Grant a card that was signed for, with the limit that was signed.

    A card that was granted before is not granted again: the answer is the same.

    Raises:
        ToolRetryError: The id and the name are of two cards.
        ToolRefusedError: The agreement is not signed.
    """
    services, product_id = context.services, arguments["card_product_id"]
    applications, now = Applications(services.documents), services.clock.now()
    with nothing_done_yet():
        product, customer = await product_of(product_id, context), await customer_of(context)
        application = await applications.get(customer.client_id, product_id)
    if not words_of(arguments.get("card_name", "")) <= words_of(product.name):
        raise ToolRetryError("card_name is not the name of this card.")
    if application is None or application.status not in (Status.SIGNED, Status.APPROVED):
        raise ToolRefusedError(
            "The agreement is not signed. Use send_card_agreement, then verify_esignature.",
            missing="signature",
        )
    is_new = application.status is Status.SIGNED
    if is_new:
        application = application.approved(now, f"{secrets.randbelow(10_000):04d}")
        await save(applications, application)
    await _issue(application, context)
    is_told = is_new and await _tell(customer, product, application, context)
    return {
        "success": True,
        "approved": True,
        "card_number_last4": application.card_last4,
        "card_product_id": product_id,
        "card_name": product.name,
        "credit_limit": application.verdict.credit_limit,
        "physical_delivery": "ordered",
        "digital_wallet_ready": False,
        "confirmation_email_sent": is_told,
        "email_error": None if is_told else "not_sent",
        "email": masked(customer.email),
        "finalized_at": (application.finalized_at or now).isoformat(),
    }


async def _issue(application: Application, context: ToolContext) -> None:
    """Give the client the card; again, it is the same card."""
    body: Json = {
        "product_id": application.product_id,
        "number_last4": application.card_last4,
        "credit_limit": application.verdict.credit_limit,
        "status": "ordered",
    }
    cards = Cards(context.services.documents)
    await cards.issue(application.client_id, f"card-{application.product_id}", body)


async def _tell(
    customer: Customer, product: CardProduct, application: Application, context: ToolContext
) -> bool:
    """Confirm by e-mail; the card is granted whether that works or not."""
    if not customer.email:
        return False
    text = (
        f"Dear {customer.full_name},\n\nyour {product.name} ending in {application.card_last4} "
        f"is granted, with a limit of {application.verdict.credit_limit} dollars.\n\nContoso Bank\n"
    )
    try:
        await context.services.delivery.send_email(customer.email, f"Your {product.name}", text)
    except (UpstreamError, ToolFailedError):
        logger.warning("confirmation not sent", extra={"tool": "finalize_card_application"})
        return False
    return True

"""From the wish for a card to the agreement; what comes after is in `card_signing.py`."""

from datetime import timedelta

from shared.errors import ConflictError, UpstreamError
from shared.tools.applications import Application, Applications, Status, Verdict, judge
from shared.tools.card_products import product_of
from shared.tools.cards import CardProduct, Cards
from shared.tools.context import ToolContext
from shared.tools.customers import Customer, Customers, masked
from shared.tools.failures import (
    ToolFailedError,
    ToolRefusedError,
    ToolRetryError,
    nothing_done_yet,
)
from shared.tools.policy import Authentication, ToolPolicy
from shared.tools.registration import CLIENT_ID_PROPERTY, DATA_SOURCE, ID_PATTERN, ToolRegistrar
from shared.types import Json

EXPIRES_H = 24
AGREEMENTS_PER_DAY = 5

PURPOSE = "esign"
"""Of the codes: no other code signs an agreement."""
_BUSY = "The application was changed just now and nothing was done. Try once more."
PRODUCT: Json = {"type": "string", "pattern": ID_PATTERN}
_JUDGE = ToolPolicy(authentication=Authentication.IDENTIFIED, has_side_effects=True)
COMMIT = ToolPolicy(authentication=Authentication.MFA, has_side_effects=True, timeout_s=8.0)


def client_schema(name: str, description: str, properties: Json, *required: str) -> Json:
    """The function object of a tool that serves the verified caller."""
    return {
        "name": name,
        "description": description,
        "parameters": {
            "type": "object",
            "properties": {"client_id": CLIENT_ID_PROPERTY, **properties},
            "required": list(required),
        },
    }


_EVALUATE = client_schema(
    "evaluate_card_eligibility",
    "Whether the verified caller can have a card, and with which limit. Comes first.",
    {"card_product_id": PRODUCT},
    "card_product_id",
)
_SEND_AGREEMENT = client_schema(
    "send_card_agreement",
    "Send the agreement with a signature code to the caller's mailbox. The code is not told you.",
    {"card_product_id": PRODUCT},
    "card_product_id",
)


def register(registry: ToolRegistrar) -> None:
    """Bring in the tools that lead to a card."""
    for schema, executor, topic, policy in (
        (_EVALUATE, evaluate_card_eligibility, "eligibility", _JUDGE),
        (_SEND_AGREEMENT, send_card_agreement, "esign", COMMIT),
    ):
        registry.register(schema["name"], schema, executor, tags={"banking", topic}, policy=policy)


async def evaluate_card_eligibility(arguments: Json, context: ToolContext) -> Json:
    """Judge by tier and cards alone; the verdict is kept, and the same every time.

    Raises:
        ToolRetryError: There is no such card.
        ToolFailedError: The client has it already, or is not known.
    """
    client_id, product_id = context.own_client_id(), arguments["card_product_id"]
    applications = Applications(context.services.documents)
    with nothing_done_yet():
        product, customer = await product_of(product_id, context), await customer_of(context)
        held = await Cards(context.services.documents).held_by(client_id)
        earlier = await applications.get(client_id, product_id)
    if any(each.get("product_id") == product_id for each in held):
        raise ToolFailedError("The caller has this card already.")
    verdict = judge(customer.tier, product, has_card=bool(held))
    now = earlier.evaluated(verdict) if earlier else Application(client_id, product_id, verdict)
    if now is not earlier:
        await save(applications, now)
    return {
        "success": True,
        "eligibility_status": verdict.eligibility.value,
        "eligibility_score": verdict.score,
        "credit_limit": verdict.credit_limit,
        "card_name": product.name,
        "card_product_id": product_id,
        "can_proceed_to_agreement": verdict.may_proceed,
        "next_step": "send_card_agreement" if verdict.may_proceed else "escalate_human",
        "customer_tier": customer.tier,
        "data_source": DATA_SOURCE,
    }


async def send_card_agreement(arguments: Json, context: ToolContext) -> Json:
    """Send the agreement to the mailbox on file; the code in it works once, for 24 hours.

    Raises:
        ToolRetryError: Not judged yet, or the e-mail did not go out.
        ToolFailedError: The card cannot be agreed upon, or there is no mailbox.
    """
    services, product_id = context.services, arguments["card_product_id"]
    applications = Applications(services.documents)
    with nothing_done_yet():
        product, customer = await product_of(product_id, context), await customer_of(context)
        application = await applications.get(customer.client_id, product_id)
    verdict = _may_agree(application)
    assert application is not None
    if not customer.email:
        raise ToolFailedError("The bank has no e-mail address of the caller. Offer a person.")
    if "email" not in services.delivery.methods:
        raise ToolFailedError("Agreements cannot be sent from here. Offer a person.")
    await _count_agreement(customer.client_id, context)
    code = services.codes.new()
    digest = services.codes.digest(code, PURPOSE, customer.client_id, product_id)
    expires_at = services.clock.now() + timedelta(hours=EXPIRES_H)
    await save(applications, application.sent(digest, expires_at))
    text = _agreement(customer, product, verdict, code)
    try:
        await services.delivery.send_email(customer.email, f"Your {product.name}", text)
    except UpstreamError as err:
        raise ToolRetryError("The agreement could not be sent. Offer to try again.") from err
    return {
        "success": True,
        "email_sent": True,
        "email_error": None,
        "email": masked(customer.email),
        "card_name": product.name,
        "expires_in_hours": EXPIRES_H,
        "message": "The agreement is on its way. Ask for the code in it, then verify_esignature.",
    }


def _may_agree(application: Application | None) -> Verdict:
    if application is None:
        raise ToolRetryError("evaluate_card_eligibility has to come first.")
    if application.status is Status.APPROVED:
        raise ToolFailedError("The card was granted already.")
    if not application.verdict.may_proceed:
        raise ToolFailedError("A person has to look at this first. Offer to connect one.")
    return application.verdict


async def customer_of(context: ToolContext) -> Customer:
    """The session's own customer.

    Raises:
        ToolFailedError: The bank does not know them.
    """
    customer = await Customers(context.services.documents).get(context.own_client_id())
    if customer is None:
        raise ToolFailedError("The bank has no record of the caller.")
    return customer


async def _count_agreement(client_id: str, context: ToolContext) -> None:
    with nothing_done_yet():
        is_allowed = await context.services.limits.take(
            f"{PURPOSE}:{client_id}", limit=AGREEMENTS_PER_DAY, ttl_s=24 * 3600
        )
    if not is_allowed:
        raise ToolRefusedError("Too many agreements were sent. Offer a person.", missing="person")


async def save(applications: Applications, application: Application) -> None:
    """Keep a step.

    Raises:
        ToolRetryError: Another request has taken one meanwhile; nothing is kept.
    """
    try:
        await applications.save(application)
    except ConflictError as err:
        raise ToolRetryError(_BUSY) from err


def _agreement(customer: Customer, product: CardProduct, verdict: Verdict, code: str) -> str:
    fee = product.terms.get("annual_fee", 0)
    return (
        f"Dear {customer.full_name},\n\n"
        f"this is the agreement for your {product.name}: annual fee {fee} dollars, "
        f"rate {product.terms.get('regular_apr', 'as published')}, "
        f"credit limit {verdict.credit_limit} dollars.\n\n"
        f"To sign it, read this code to our agent: {code}\n"
        f"It works once, for {EXPIRES_H} hours. Nobody else will ask you for it.\n\nContoso Bank\n"
    )

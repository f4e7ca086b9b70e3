"""Accounts of the verified caller."""

from decimal import Decimal

from shared.errors import ConflictError, NotFoundError
from shared.tools.accounts import (
    Account,
    Accounts,
    AlreadyRefundedError,
    RefundOrder,
    Transaction,
    TransactionKind,
)
from shared.tools.context import ToolContext
from shared.tools.customers import Customers
from shared.tools.failures import ToolFailedError, ToolRetryError, nothing_done_yet
from shared.tools.policy import Authentication, ToolPolicy
from shared.tools.registration import CLIENT_ID_PROPERTY, DATA_SOURCE, ID_PATTERN, ToolRegistrar
from shared.types import Json

MAX_REFUND = 100.0
"""The highest fee that is refunded without a person, in dollars."""

_READ = ToolPolicy(authentication=Authentication.IDENTIFIED)
_REFUND = ToolPolicy(
    authentication=Authentication.IDENTIFIED, has_side_effects=True, max_amount=MAX_REFUND
)

_GET_USER_PROFILE: Json = {
    "name": "get_user_profile",
    "description": "Who the verified caller is to the bank: name, tier, customer since.",
    "parameters": {"type": "object", "properties": {"client_id": CLIENT_ID_PROPERTY}},
}
_GET_ACCOUNT_SUMMARY: Json = {
    "name": "get_account_summary",
    "description": "The verified caller's accounts with balance and available amount.",
    "parameters": {"type": "object", "properties": {"client_id": CLIENT_ID_PROPERTY}},
}
_GET_RECENT_TRANSACTIONS: Json = {
    "name": "get_recent_transactions",
    "description": (
        "The verified caller's latest transactions, newest first. Those that look suspicious to "
        "the bank are flagged."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "client_id": CLIENT_ID_PROPERTY,
            "limit": {"type": "integer", "minimum": 1, "maximum": 50, "default": 10},
        },
    },
}
_REFUND_FEE: Json = {
    "name": "refund_fee",
    "description": (
        "Give a fee back to the verified caller. Look the transaction up first; a fee can be "
        "refunded once."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "client_id": CLIENT_ID_PROPERTY,
            "transaction_id": {"type": "string", "pattern": ID_PATTERN},
            "amount": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "Dollars, at most the fee itself.",
            },
            "reason": {"type": "string", "maxLength": 500},
        },
        "required": ["transaction_id", "amount"],
    },
}


def register(registry: ToolRegistrar) -> None:
    """Bring in the tools that read and mend accounts."""
    for schema, executor, topic, policy in (
        (_GET_USER_PROFILE, get_user_profile, "profile", _READ),
        (_GET_ACCOUNT_SUMMARY, get_account_summary, "account", _READ),
        (_GET_RECENT_TRANSACTIONS, get_recent_transactions, "transactions", _READ),
        (_REFUND_FEE, refund_fee, "fees", _REFUND),
    ):
        registry.register(schema["name"], schema, executor, tags={"banking", topic}, policy=policy)


async def get_user_profile(arguments: Json, context: ToolContext) -> Json:
    """The session's own customer; addresses are masked, and secrets are no part of it.

    Raises:
        ToolFailedError: The bank does not know the customer.
    """
    customer = await Customers(context.services.documents).get(context.own_client_id())
    if customer is None:
        raise ToolFailedError("The bank has no record of the caller.")
    return {"success": True, "profile": customer.profile(), "data_source": DATA_SOURCE}


async def get_account_summary(arguments: Json, context: ToolContext) -> Json:
    """The accounts of the session's own customer; none is a failure, never an empty account.

    Raises:
        ToolFailedError: The bank has no account for the customer.
    """
    accounts = await Accounts(context.services.documents).accounts(context.own_client_id())
    if not accounts:
        raise ToolFailedError("No account was found for the caller.")
    return {
        "success": True,
        "accounts": [_account(each) for each in accounts],
        "data_source": DATA_SOURCE,
    }


async def get_recent_transactions(arguments: Json, context: ToolContext) -> Json:
    """The latest transactions of the session's own customer, newest first; may be empty."""
    accounts = Accounts(context.services.documents)
    transactions = await accounts.transactions(context.own_client_id(), arguments["limit"])
    return {
        "success": True,
        "transactions": [_transaction(each) for each in transactions],
        "data_source": DATA_SOURCE,
    }


async def refund_fee(arguments: Json, context: ToolContext) -> Json:
    """Give back one fee of the session's own customer, once.

    Raises:
        ToolRetryError: No such transaction, it is no fee, or the amount does not fit it.
        ToolFailedError: It was refunded before.
    """
    accounts = Accounts(context.services.documents)
    order = RefundOrder(
        client_id=context.own_client_id(),
        transaction_id=arguments["transaction_id"],
        amount=Decimal(str(arguments["amount"])),
        request=context.request,
        at=context.services.clock.now(),
        reason=arguments.get("reason", ""),
    )
    with nothing_done_yet():
        fee = await accounts.transaction(order.client_id, order.transaction_id)
    _check_refund(fee, order.amount)
    try:
        refund = await accounts.refund(order)
    except NotFoundError as err:
        raise ToolRetryError(_NO_TRANSACTION) from err
    except AlreadyRefundedError as err:
        raise ToolFailedError("This fee was refunded before. It cannot be refunded again.") from err
    except ConflictError as err:
        raise ToolRetryError("The account is being changed just now. Nothing was done.") from err
    return {
        "success": True,
        "refunded": True,
        "refund_id": refund.refund_id,
        "transaction_id": refund.transaction_id,
        "amount": float(refund.amount),
        "message": f"{refund.amount:.2f} dollars were refunded.",
        "data_source": DATA_SOURCE,
    }


_NO_TRANSACTION = (
    "The caller has no transaction with this transaction_id. Look it up with "
    "get_recent_transactions."
)


def _check_refund(fee: Transaction | None, amount: Decimal) -> None:
    if fee is None:
        raise ToolRetryError(_NO_TRANSACTION)
    if fee.kind is not TransactionKind.FEE:
        raise ToolRetryError("This transaction is not a fee. Only fees can be refunded.")
    if amount > abs(fee.amount):
        raise ToolRetryError("amount is higher than the fee.")
    if amount != amount.quantize(Decimal("0.01")):
        raise ToolRetryError("amount may have two decimals at most.")


def _account(account: Account) -> Json:
    return {
        "type": account.type,
        "balance": float(account.balance),
        "available": float(account.available),
        "currency": account.currency,
        "account_number_last4": account.number_last4,
        "routing_number": account.routing_number,
    }


def _transaction(transaction: Transaction) -> Json:
    return {
        "transaction_id": transaction.transaction_id,
        "date": transaction.posted_at[:10],
        "description": transaction.description,
        "amount": float(transaction.amount),
        "type": transaction.kind.value,
        "status": transaction.status,
        "account_number_last4": transaction.account_last4,
        "is_suspicious": transaction.flagged_because is not None,
        "suspicious_because": transaction.flagged_because,
    }

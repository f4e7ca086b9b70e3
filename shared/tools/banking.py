"""Accounts of the verified caller."""

from decimal import Decimal

from shared.errors import ConflictError, NotFoundError
from shared.tools.context import ToolContext
from shared.tools.failures import ToolFailedError, ToolRefusedError, ToolRetryError
from shared.tools.policy import Authentication, ToolPolicy
from shared.tools.records import Account, Transaction, TransactionKind
from shared.tools.registration import ToolRegistrar
from shared.types import Json

MAX_REFUND = 100.0
"""The highest fee that is refunded without a person, in dollars."""

CLIENT_ID_PROPERTY: Json = {
    "type": "string",
    "description": "May be left out: the verified caller's own records are used in any case.",
}

_READ = ToolPolicy(authentication=Authentication.IDENTIFIED)
_REFUND = ToolPolicy(
    authentication=Authentication.IDENTIFIED, has_side_effects=True, max_amount=MAX_REFUND
)

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
            "transaction_id": {"type": "string", "minLength": 1, "maxLength": 64},
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
        (_GET_ACCOUNT_SUMMARY, get_account_summary, "account", _READ),
        (_GET_RECENT_TRANSACTIONS, get_recent_transactions, "transactions", _READ),
        (_REFUND_FEE, refund_fee, "fees", _REFUND),
    ):
        registry.register(schema["name"], schema, executor, tags={"banking", topic}, policy=policy)


async def get_account_summary(arguments: Json, context: ToolContext) -> Json:
    """The accounts of the session's own customer; none is a failure, never an empty account.

    Raises:
        ToolFailedError: The bank has no account for the customer.
    """
    records = context.services.records
    accounts = await records.accounts(_own(context))
    if not accounts:
        raise ToolFailedError("No account was found for the caller.")
    return {
        "success": True,
        "accounts": [_account(each) for each in accounts],
        "data_source": records.source,
    }


async def get_recent_transactions(arguments: Json, context: ToolContext) -> Json:
    """The latest transactions of the session's own customer, newest first; may be empty."""
    records = context.services.records
    transactions = await records.transactions(_own(context), arguments["limit"])
    return {
        "success": True,
        "transactions": [_transaction(each) for each in transactions],
        "data_source": records.source,
    }


async def refund_fee(arguments: Json, context: ToolContext) -> Json:
    """Give back one fee of the session's own customer, once.

    Raises:
        ToolRetryError: No such transaction, it is no fee, or the amount does not fit it.
        ToolFailedError: It was refunded before.
    """
    client_id, records = _own(context), context.services.records
    amount = Decimal(str(arguments["amount"]))
    fee = await records.transaction(client_id, arguments["transaction_id"])
    _check_refund(fee, amount)
    try:
        refund = await records.refund(
            client_id, arguments["transaction_id"], amount, context.idempotency_key
        )
    except NotFoundError as err:
        raise ToolRetryError(_NO_TRANSACTION) from err
    except ConflictError as err:
        raise ToolFailedError("This fee was refunded before. It cannot be refunded again.") from err
    return {
        "success": True,
        "refunded": True,
        "refund_id": refund.refund_id,
        "transaction_id": refund.transaction_id,
        "amount": float(refund.amount),
        "message": f"{refund.amount:.2f} dollars were refunded.",
        "data_source": records.source,
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


def _own(context: ToolContext) -> str:
    client_id = context.client_id
    if client_id is None:
        # Policy has refused this before; a caller who goes around it gets no further.
        raise ToolRefusedError("The caller is not identified yet.", missing="authentication")
    return client_id


def _account(account: Account) -> Json:
    return {
        "type": account.type,
        "balance": float(account.balance),
        "available": float(account.available),
        "currency": account.currency,
        "account_number_last4": account.number_last4,
    }


def _transaction(transaction: Transaction) -> Json:
    return {
        "transaction_id": transaction.transaction_id,
        "date": transaction.on.isoformat(),
        "description": transaction.description,
        "amount": float(transaction.amount),
        "type": transaction.kind.value,
        "status": transaction.status,
        "account_number_last4": transaction.account_last4,
        "is_suspicious": transaction.flagged_because is not None,
        "suspicious_because": transaction.flagged_because,
    }

"""The demonstration call to the bank, as the scripted model plays it."""

import json
from pathlib import Path
from typing import Any

import pytest

import simulator
from simulator.model import Script
from simulator.model.conversation import read_conversation
from simulator.model.script import Reply

BANK = Script.load(Path(simulator.__file__).parent / "scenarios" / "bank.yaml")
PARAMETERS = {
    "verify_client_identity": ("full_name", "ssn_last_4"),
    "get_account_summary": ("client_id",),
    "search_knowledge_base": ("query", "collection", "top_k"),
    "handoff_fraud_agent": ("client_id", "fraud_type", "issue_summary"),
    "transfer_call_to_call_center": ("queue_id", "reason"),
    "get_recent_transactions": ("client_id", "limit"),
}
VERIFIED = {
    "success": True,
    "authenticated": True,
    "client_id": "C-1",
    "caller_name": "Emily Rivera",
}
ACCOUNT = {"type": "checking", "balance": 2345.67, "available": 2295.6}
SUMMARY = {"success": True, "accounts": [{**ACCOUNT, "account_number_last4": "4821"}]}
FAILED = {"success": False, "error": "tool_failed", "message": "temporarily unavailable"}
BALANCE, IDENTITY, POLICY, CHARGE, PERSON = BANK.caller


class Talk:
    """A conversation with one agent, as its requests show it."""

    def __init__(self, agent: str) -> None:
        self._messages: list[dict[str, Any]] = [{"role": "system", "content": f"Agent: {agent}\n"}]

    def says(self, text: str) -> Reply:
        """The caller says something; gives the answer."""
        self._messages.append({"role": "user", "content": text})
        return self._answer()

    def returns(self, tool: str, result: object) -> Reply:
        """The model called a tool, and it has returned; gives the answer."""
        call_id = f"c{len(self._messages)}"
        function = {"name": tool, "arguments": "{}"}
        entry = {"id": call_id, "type": "function", "function": function}
        self._messages += [
            {"role": "assistant", "content": None, "tool_calls": [entry]},
            {"role": "tool", "tool_call_id": call_id, "content": json.dumps(result)},
        ]
        return self._answer()

    def _answer(self) -> Reply:
        tools = [
            {"function": {"name": name, "parameters": {"properties": dict.fromkeys(parameters)}}}
            for name, parameters in PARAMETERS.items()
        ]
        reply = BANK.answer(read_conversation({"messages": self._messages, "tools": tools}))
        if reply.text and not reply.calls:
            self._messages.append({"role": "assistant", "content": reply.text})
        return reply


def called(reply: Reply) -> tuple[str, dict[str, Any]]:
    """The one tool a reply calls, with its arguments."""
    (call,) = reply.calls
    return call.tool, dict(call.arguments)


@pytest.fixture
def concierge() -> Talk:
    """A call that has just begun."""
    return Talk("concierge")


def test_balance_is_told_to_a_verified_caller(concierge: Talk) -> None:
    """The heart of the demonstration: ask, identify, look up, tell."""
    assert "last four digits" in concierge.says(BALANCE).text
    identity = {"full_name": "Emily Rivera", "ssn_last_4": "1234"}
    assert called(concierge.says(IDENTITY)) == ("verify_client_identity", identity)
    summary = concierge.returns("verify_client_identity", VERIFIED)
    assert called(summary) == ("get_account_summary", {"client_id": "C-1"})
    told = concierge.returns("get_account_summary", SUMMARY)
    assert told.calls == ()
    assert told.text == (
        "Your checking account ending in 4821 has a balance of $2,345.67. "
        "$2,295.60 of it is available right now."
    )


def test_verified_caller_is_not_asked_again(concierge: Talk) -> None:
    """Nobody likes to identify twice in one call."""
    concierge.says(IDENTITY)
    concierge.returns("verify_client_identity", VERIFIED)
    concierge.returns("get_account_summary", SUMMARY)
    assert called(concierge.says("What is my balance now?"))[0] == "get_account_summary"


@pytest.mark.parametrize(
    "text",
    [
        "My name is Emily Rivera and my last four digits are 1 2 3 4.",
        "i'm emily rivera the last four are one two three four",
        "This is Emily Rivera, 1-2-3-4",
    ],
)
def test_identity_is_understood_however_it_is_said(concierge: Talk, text: str) -> None:
    """Speech recognition decides how digits are written."""
    identity = {"full_name": "Emily Rivera", "ssn_last_4": "1234"}
    assert called(concierge.says(text))[1] == identity


def test_stranger_is_asked_again(concierge: Talk) -> None:
    """A caller who cannot be verified hears why, and nothing about an account."""
    concierge.says(IDENTITY)
    reply = concierge.returns("verify_client_identity", {"success": False, "authenticated": False})
    assert "does not match" in reply.text
    assert reply.calls == ()


def test_policy_is_told_from_the_first_result(concierge: Talk) -> None:
    """What is said about the rules is what the knowledge base says, shortened."""
    query = {"query": POLICY, "collection": "policies"}
    assert called(concierge.says(POLICY)) == ("search_knowledge_base", query)
    results = [{"content": "One fee. Each year. As a courtesy. And so on."}, {"content": "No."}]
    reply = concierge.returns("search_knowledge_base", {"success": True, "results": results})
    assert reply.text == "One fee. Each year. As a courtesy."


def test_nothing_found_is_said(concierge: Talk) -> None:
    """No result is not an answer."""
    concierge.says(POLICY)
    reply = concierge.returns("search_knowledge_base", {"success": True, "results": []})
    assert "found nothing" in reply.text


def test_charge_is_handed_to_the_fraud_desk(concierge: Talk) -> None:
    """The concierge passes on whom it has verified and what was said."""
    assert called(concierge.says(CHARGE))[1].keys() == {"fraud_type", "issue_summary"}
    concierge.says(IDENTITY)
    concierge.returns("verify_client_identity", VERIFIED)
    concierge.returns("get_account_summary", SUMMARY)
    tool, arguments = called(concierge.says(CHARGE))
    assert tool == "handoff_fraud_agent"
    assert arguments["client_id"] == "C-1"
    assert CHARGE in arguments["issue_summary"]


def test_fraud_desk_names_the_charge_and_finds_a_person() -> None:
    """The second half of the demonstration, up to the transfer."""
    fraud = Talk("fraud")
    greeting = fraud.says(CHARGE)
    assert "your recent transactions" in greeting.text
    assert called(greeting) == ("get_recent_transactions", {"limit": 5})
    transactions = [
        {"description": "Coffee", "amount": -4.75, "is_suspicious": False},
        {"description": "Volt Electronics", "amount": -489.99, "is_suspicious": True},
    ]
    found = fraud.returns(
        "get_recent_transactions", {"success": True, "transactions": transactions}
    )
    assert "$489.99 to Volt Electronics" in found.text
    assert "person" in found.text
    transfer = fraud.says(PERSON)
    assert transfer.text
    tool, arguments = called(transfer)
    assert (tool, arguments["queue_id"]) == ("transfer_call_to_call_center", "fraud")
    moved = {"success": True, "transfer": {"target": "+15555550199"}}
    goodbye = fraud.returns("transfer_call_to_call_center", moved)
    assert goodbye == Reply("Please stay on the line.")


def test_fraud_desk_identifies_a_caller_nobody_has_verified() -> None:
    """The handoff needs no identity, the transactions do."""
    fraud = Talk("fraud")
    fraud.says(CHARGE)
    refused = {"success": False, "error": "refused:authentication", "message": "Identify first."}
    assert "who you are" in fraud.returns("get_recent_transactions", refused).text
    fraud.says(IDENTITY)
    reply = fraud.returns("verify_client_identity", VERIFIED)
    assert called(reply) == ("get_recent_transactions", {"client_id": "C-1", "limit": 5})


@pytest.mark.parametrize("tool", [name for name in PARAMETERS if name != "verify_client_identity"])
def test_failed_tool_is_admitted(concierge: Talk, tool: str) -> None:
    """A tool that fails never becomes an invented success."""
    concierge.says(BALANCE)
    reply = concierge.returns(tool, FAILED)
    assert "did not work" in reply.text
    assert reply.calls == ()

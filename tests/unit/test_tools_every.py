"""What holds for every tool: its schema, its refusals, an outage, and being asked twice.

What a tool does when all goes well stands in its own file, and once more in the table here.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from shared.errors import UpstreamError
from shared.records.documents import Document
from shared.tools.context import Channel, ToolContext, ToolServices
from shared.tools.embedded import embedded_services
from shared.tools.failures import ToolFailedError
from shared.tools.policy import Authentication
from shared.tools.registry import build_registry
from shared.tools.run import run_tool
from shared.types import Json
from tests.unit.bank import bank
from tests.unit.document_fakes import FakeDocuments
from tests.unit.tool_fakes import MARCUS, SESSION, FakeLedger, context, emily, services

REGISTRY = build_registry()
CARD: Json = {"card_product_id": "travel-rewards"}
PAPER = Document("cards", "p", "i", {}, "e")


@dataclass(frozen=True)
class Case:
    """One tool and a call of it that works."""

    tool: str
    arguments: Json = field(default_factory=dict)
    proof: str = ""
    """A field of the result that is true."""
    wrong: Json = field(default_factory=dict)
    """Arguments that its schema forbids."""
    before: tuple[tuple[str, Json], ...] = ()
    """What has to be done first."""
    without_records: str | None = "tool_failed"
    """What it answers while the records are away; None: it does not need them."""

    def __str__(self) -> str:
        return self.tool


RETRY = "retry"
JUDGED = (("evaluate_card_eligibility", CARD),)
CASES = [
    Case(
        "verify_client_identity",
        {"full_name": "Emily Rivera", "ssn_last_4": "1234"},
        "authenticated",
        {"ssn_last_4": "12345"},
    ),
    Case("send_mfa_code", {"method": "sms"}, "code_sent", {"method": "x"}, without_records=RETRY),
    Case("resend_mfa_code", {}, "code_sent", {"method": 1}, without_records=RETRY),
    Case("get_user_profile", {}, "profile", {"x": 1}),
    Case("get_account_summary", {}, "accounts", {"x": 1}),
    Case("get_recent_transactions", {}, "transactions", {"limit": -1}),
    Case(
        "refund_fee",
        {"transaction_id": "TX-90008", "amount": 35},
        "refunded",
        {"amount": -1},
        without_records=RETRY,
    ),
    Case("search_card_products", {"preferences": "travel"}, "cards", {"preferences": ""}),
    Case("get_card_details", {"product_id": "travel-rewards"}, "card", {"product_id": "../x"}),
    Case("search_credit_card_faqs", {"query": "fee"}, "results", {"top_k": 0}),
    Case(
        "evaluate_card_eligibility",
        CARD,
        "can_proceed_to_agreement",
        {"card_product_id": ""},
        without_records=RETRY,
    ),
    Case(
        "send_card_agreement",
        CARD,
        "email_sent",
        {"card_product_id": "a/b"},
        before=JUDGED,
        without_records=RETRY,
    ),
    Case(
        "escalate_human",
        {"reason": "r"},
        "escalation_initiated",
        {"department": "wizards"},
        without_records=None,
    ),
    Case(
        "transfer_call_to_call_center",
        {"reason": "r"},
        "transfer_requested",
        {"reason": ""},
        without_records=None,
    ),
    Case(
        "transfer_call_to_destination",
        {"destination": "general", "reason": "r"},
        "transfer_requested",
        {"transfer_type": "warm"},
        without_records=None,
    ),
    Case(
        "schedule_callback",
        {"reason": "r", "phone_number": "+4930123456"},
        "callback_scheduled",
        {"phone_number": "110"},
        without_records="outcome_unknown",
    ),
    Case(
        "submit_complaint",
        {"complaint_type": "fees", "description": "d"},
        "complaint_submitted",
        {"complaint_type": "mega"},
        without_records="outcome_unknown",
    ),
    Case(
        "escalate_emergency",
        {"emergency_type": "other", "description": "d"},
        "emergency_escalation",
        {"emergency_type": "boredom"},
        without_records="outcome_unknown",
    ),
]
EVERY = pytest.mark.parametrize("case", CASES, ids=str)
OWN_TESTS = {"verify_mfa_code", "verify_esignature", "finalize_card_application"}
"""Need a code first: `test_tools_mfa.py` and `test_tools_cards.py`."""


def policy_of(case: Case) -> Authentication:
    """How sure the tool must be who the caller is."""
    return REGISTRY.get_tool_definition(case.tool).policy.authentication


async def run(case: Case, who: ToolContext, ledger: FakeLedger | None = None) -> Json:
    """Run the tool as the agent does."""
    return await run_tool(REGISTRY, case.tool, case.arguments, who, ledger or FakeLedger())


async def prepared(case: Case, documents: FakeDocuments) -> ToolContext:
    """A caller who may use the tool, after what has to be done first."""
    who = emily(using=services(documents=documents), has_mfa=True)
    for number, (tool, arguments) in enumerate(case.before):
        earlier = replace(who, idempotency_key=f"before-{number}")
        assert (await run_tool(REGISTRY, tool, arguments, earlier, FakeLedger()))["success"]
    return who


def test_every_tool_is_in_a_table() -> None:
    """A new tool of these families is tested here, too, or says where."""
    tags = {"auth", "banking", "escalation"}
    families = {
        name
        for name in REGISTRY.list_tools()
        if REGISTRY.get_tool_definition(name).tags & tags and not name.startswith("handoff_")
    }
    assert families - {"leave_voicemail"} == {case.tool for case in CASES} | OWN_TESTS


@EVERY
def test_tool_schema_is_closed_and_asks_for_no_client_id(case: Case) -> None:
    """Who the caller is, the session knows; a model that is asked for an id makes one up."""
    schema = REGISTRY.get_tool_schema(case.tool)
    parameters = schema["parameters"]
    assert len(schema["description"]) > 20
    assert parameters["additionalProperties"] is False
    assert "client_id" not in parameters.get("required", [])
    for name, declared in parameters["properties"].items():
        is_bounded = {"maxLength", "enum", "pattern", "maximum", "maxItems"} & set(declared)
        assert is_bounded or name in ("client_id", "amount"), name


@EVERY
async def test_tool_does_what_it_says(case: Case) -> None:
    """With everything in place, the answer is a success that can be sent as JSON."""
    result = await run(case, await prepared(case, bank()))
    assert result["success"] is True
    assert result[case.proof]


@EVERY
async def test_tool_refuses_arguments_that_its_schema_forbids(case: Case) -> None:
    """Nothing is done, and the answer names the field."""
    documents = bank()
    who = await prepared(case, documents)
    writes = documents.writes_total
    arguments = {**case.arguments, **case.wrong}
    result = await run_tool(REGISTRY, case.tool, arguments, who, FakeLedger())
    assert result["error"] == "invalid_arguments"
    assert documents.writes_total == writes


@EVERY
async def test_tool_refuses_whom_it_may_not_serve(case: Case) -> None:
    """A stranger, somebody else's id, a missing second factor: refused before anything is read."""
    documents, needed = bank(), policy_of(case)
    documents.failure = AssertionError("it was read")
    using = services(documents=documents)
    expected = []
    if needed is not Authentication.NONE:
        forged = {"mfa_client_id": "CLT-1001", "client_id": "CLT-1001"}
        expected += [
            (context(using=using), {}, "authentication"),
            (context(using=using, facts=forged), {}, "authentication"),
            (emily(using=using, has_mfa=True), {"client_id": MARCUS}, "client_id"),
        ]
    if needed is Authentication.MFA:
        expected.append((emily(using=using), {}, "mfa"))
    for who, more, missing in expected:
        result = await run_tool(REGISTRY, case.tool, {**case.arguments, **more}, who, FakeLedger())
        assert result["error"] == f"refused:{missing}"
        assert result["message"]


@EVERY
@pytest.mark.parametrize("channel", ["agent", "http"])
async def test_tool_refuses_whoever_may_not_call_it(case: Case, channel: Channel) -> None:
    """A transfer over HTTP would be promised and never performed."""
    policy = REGISTRY.get_tool_definition(case.tool).policy
    who = await prepared(case, bank())
    result = await run(case, replace(who, channel=channel))
    is_allowed = channel in policy.callers
    assert (result.get("error") == "refused:caller") is not is_allowed


@EVERY
async def test_tool_with_side_effects_needs_a_key(case: Case) -> None:
    """Without one it would be done again whenever it is delivered again."""
    policy = REGISTRY.get_tool_definition(case.tool).policy
    who = await prepared(case, bank())
    result = await run(case, replace(who, idempotency_key=""))
    assert (result.get("error") == "refused:idempotency_key") is policy.has_side_effects


@EVERY
async def test_tool_says_so_when_the_records_are_away(case: Case) -> None:
    """An outage is neither a success, nor an empty answer, nor a no."""
    documents = bank()
    who = await prepared(case, documents)
    documents.failure = UpstreamError("database unreachable")
    result = await run(case, who)
    assert result.get("error") == case.without_records
    assert result["success"] is (case.without_records is None)


@EVERY
async def test_tool_says_so_when_no_records_are_configured(case: Case) -> None:
    """Upstream fell back to invented people and balances."""
    using = replace(embedded_services(), transfer_targets={"general": "+15555550100"})
    who = emily(has_mfa=True, using=using)
    result = await run(case, who)
    if case.without_records is None:
        assert result["success"] is True
        return
    assert result["error"] == "tool_failed"
    assert "not configured" in result["message"]


@EVERY
async def test_tool_that_is_delivered_again_answers_the_same(case: Case) -> None:
    """With side effects it is done once, also where the ledger has lost its memory."""
    documents = bank()
    who, ledger = await prepared(case, documents), FakeLedger()
    first = await run(case, who, ledger)
    writes = documents.writes_total
    assert await run(case, who, ledger) == first
    assert documents.writes_total == writes
    for container in ("transactions", "cases", "callbacks"):
        before = len(documents.held(container))
        await run(case, who, FakeLedger())
        assert len(documents.held(container)) == before


@EVERY
async def test_tool_with_side_effects_does_nothing_while_the_ledger_is_away(case: Case) -> None:
    """Better not done, and said so, than done twice."""
    documents = bank()
    who = await prepared(case, documents)
    writes = documents.writes_total
    result = await run(case, who, FakeLedger(down={"begin"}))
    if REGISTRY.get_tool_definition(case.tool).policy.has_side_effects:
        assert result["error"] == "tool_failed"
        assert documents.writes_total == writes
    else:
        assert result["success"] is True


async def test_refusals_are_audited(caplog: pytest.LogCaptureFixture) -> None:
    """Who tried what, and what was missing; never with which words."""
    with caplog.at_level("INFO"):
        await run_tool(REGISTRY, "refund_fee", CASES[6].arguments, context(), FakeLedger())
    (record,) = (each for each in caplog.records if each.getMessage() == "tool refused")
    facts = vars(record)
    assert (facts["tool"], facts["missing"], facts["channel"]) == (
        "refund_fee",
        "authentication",
        "agent",
    )
    assert "TX-90008" not in str(facts)


async def test_changes_are_audited_and_reading_is_not(caplog: pytest.LogCaptureFixture) -> None:
    """One line for what was done, another for what was asked for again; none for a look."""
    who, ledger = emily(), FakeLedger()
    with caplog.at_level("INFO"):
        for tool, arguments in (
            ("get_account_summary", {}),
            ("refund_fee", {"transaction_id": "TX-90008", "amount": 35}),
            ("refund_fee", {"transaction_id": "TX-90008", "amount": 36}),
        ):
            await run_tool(REGISTRY, tool, arguments, who, ledger)
    lines = [vars(each) for each in caplog.records if each.getMessage() == "tool ran"]
    assert [(each["tool"], each["outcome"]) for each in lines] == [
        ("refund_fee", "done"),
        ("refund_fee", "idempotency_mismatch"),
    ]


@pytest.mark.parametrize(
    "ask",
    [
        lambda to: to.documents.read("cards", "p", "i"),
        lambda to: to.documents.create(PAPER),
        lambda to: to.documents.upsert(PAPER),
        lambda to: to.documents.replace(PAPER),
        lambda to: to.documents.select("cards", "p"),
        lambda to: to.documents.find("cards", where={"a": 1}),
        lambda to: to.documents.write_together("cards", "p", [PAPER]),
        lambda to: to.code_store.put(SESSION, "n", "d", tries=1, ttl_s=1),
        lambda to: to.code_store.attempt(SESSION, "n", ["d"], by=""),
        lambda to: to.code_store.drop(SESSION, "n"),
        lambda to: to.limits.take("s", limit=1, ttl_s=1),
        lambda to: to.limits.give_back("s"),
        lambda to: to.delivery.send_sms("+1", "t"),
        lambda to: to.delivery.send_email("a", "s", "t"),
    ],
)
async def test_what_is_not_configured_says_so(
    ask: Callable[[ToolServices], Awaitable[object]],
) -> None:
    """Nothing stands in for a service that is not there: neither an empty list nor a yes."""
    with pytest.raises(ToolFailedError):
        await ask(embedded_services())

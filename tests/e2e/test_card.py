"""A card, from the wish to the grant, with codes on a phone and in a mailbox."""

from dataclasses import replace

from simulator.app_client import AppClient
from simulator.stack import CALLER, Plan, Stack
from tests.e2e.calls import QUICK, SCENARIOS, look, play, spoken

PLAN = replace(Plan(pace=QUICK), scenario=SCENARIOS / "card.yaml")


async def test_card_is_granted_on_the_phone() -> None:
    """Three agents, the real SDKs for messages and records, and no code in the session."""
    async with Stack(PLAN) as stack, AppClient(stack) as app:
        call = await play(stack)
        session = await look(stack, app, call)
        messages = list(stack.acs.inbox.messages)
    heard = spoken(call)
    assert "Your Travel Rewards Card is granted, with a limit of 15000 dollars." in heard
    assert [(one.channel, one.to) for one in messages] == [
        ("sms", CALLER),
        ("email", "emily.rivera@example.com"),
        ("email", "emily.rivera@example.com"),
    ]
    told = str([one for one in session["history"] if one["role"] == "tool"])
    for message in messages[:2]:
        assert message.code is not None
        assert message.code not in told
        assert message.code not in str(heard)

"""Callers on their way through the desks, with every tool but the model being real."""

from typing import Any

from shared.agent.toolbox import RegisteredTools
from shared.agent.turn import Finished, Handoff, Sentence, ToolFinished
from shared.tools.registry import build_registry
from shared.types import AgentName
from tests.unit.bank import FakeDelivery, bank
from tests.unit.fakes import FakeChatModel, FakeMemory, call, completion
from tests.unit.tool_fakes import EMILY, FakeLedger, services
from tests.unit.turn_stage import request, run

CARD = '{"card_product_id": "travel-rewards"}'


class Journey:
    """A caller who goes from desk to desk; the model does as it is told, turn by turn."""

    def __init__(self, agent: str) -> None:
        self.agent = AgentName(agent)
        self.memory = FakeMemory()
        self.delivery = FakeDelivery()
        self.documents = bank()
        self.shown: list[dict[str, Any]] = []
        """Every message that any model was shown."""
        self._turn = 1
        self._tools = RegisteredTools(
            build_registry(),
            ledger=FakeLedger(),
            services=services(documents=self.documents, delivery=self.delivery),
        )

    async def says(self, text: str, *calls: tuple[str, str], answer: str) -> list[str]:
        """The caller says *text*, the model makes one call after the other, then it answers.

        Returns:
            What the caller hears. Every call has succeeded.
        """
        self._turn += 1
        heard = {"role": "user", "content": text, "turn": self._turn, "n": 9}
        self.memory.threads.setdefault(self.agent, []).append(heard)
        rounds = [[completion(call(name, arguments))] for name, arguments in calls]
        model = FakeChatModel(*rounds, [answer, completion()])
        asked = request(text=text, memory=self.memory, agent=self.agent, turn=self._turn)
        items = await run(model, asked, self._tools)
        ran = [(one.name, one.is_success) for one in items if isinstance(one, ToolFinished)]
        assert ran == [(name, True) for name, _ in calls]
        self.agent = [self.agent, *(one.to for one in items if isinstance(one, Handoff))][-1]
        self.shown += [message for messages in model.asked for message in messages]
        return [one.text for one in items if isinstance(one, Sentence | Finished)]


async def test_stranger_gets_a_card_from_three_agents_in_one_call() -> None:
    """Verified by name and by code at one desk, granted at another, welcomed back at the first.

    The codes are with the caller alone: no agent is ever shown one that the caller has not said.
    """
    way = Journey("concierge")
    assert await way.says(
        "I want a travel card.",
        ("handoff_card_recommendation", '{"customer_goal": "travel"}'),
        ("search_card_products", '{"preferences": "travel"}'),
        answer="The Travel Rewards Card fits.",
    ) == ["You are with the card desk of Contoso Bank.", "The Travel Rewards Card fits."]
    assert await way.says(
        "I'll take it.", ("handoff_to_auth", '{"reason": "application"}'), answer="Your name?"
    ) == ["Your name?"]
    assert way.agent == "auth"
    await way.says(
        "Emily Rivera, 1234.",
        ("verify_client_identity", '{"full_name": "Emily Rivera", "ssn_last_4": "1234"}'),
        ("send_mfa_code", "{}"),
        answer="Which code did you get?",
    )
    code = way.delivery.code()
    assert not any(code in str(one) for one in way.shown)
    assert await way.says(
        f"It is {code}.",
        ("verify_mfa_code", f'{{"code": "{code}"}}'),
        ("handoff_to_agent", '{"target_agent": "card_recommendation", "reason": "verified"}'),
        ("evaluate_card_eligibility", CARD),
        answer="You may have it. Shall I send the agreement?",
    ) == ["You are back with the card desk.", "You may have it.", "Shall I send the agreement?"]
    await way.says("Yes.", ("send_card_agreement", CARD), answer="Which code is in the e-mail?")
    signature = way.delivery.code()
    assert not any(signature in str(one) for one in way.shown)
    await way.says(
        f"It says {signature}.",
        ("verify_esignature", f'{{"verification_code": "{signature}"}}'),
        ("finalize_card_application", CARD),
        answer="The card is yours.",
    )
    assert await way.says(
        "And my balance?",
        ("handoff_concierge", '{"previous_topic": "a card", "resolution_summary": "granted"}'),
        ("get_account_summary", "{}"),
        answer="It is 2,345 dollars.",
    ) == ["You are back with the front desk.", "It is 2,345 dollars."]
    held = [one.body for one in way.documents.held("cards") if one.partition == EMILY]
    assert "travel-rewards" in [one["product_id"] for one in held]

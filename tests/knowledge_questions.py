"""What callers might ask, in other words than the articles use, and the article that answers.

Written before anything was measured, and not changed since.
"""

from collections.abc import Sequence
from dataclasses import dataclass

QUESTIONS: tuple[tuple[str, str], ...] = (
    ("You took money for going below zero, can I have it back?", "policies/fee-refund-policy"),
    ("What happens when I spend more than I have?", "policies/overdraft-policy"),
    ("There is a purchase on my bill that I never made", "policies/dispute-resolution-policy"),
    ("Do you pass my data on to advertisers?", "policies/privacy-policy"),
    ("How much is it to send money to a bank in Germany?", "policies/wire-transfer-policy"),
    ("When may I spend the check I paid in yesterday?", "policies/funds-availability-policy"),
    ("I want to leave your bank for good", "policies/account-closing-policy"),
    ("I am very unhappy with your service, who looks into that?", "policies/complaint-policy"),
    ("My father passed away last week, what about his money?", "policies/estate-policy"),
    ("Can my wife and I share one account?", "policies/joint-account-policy"),
    (
        "I have not touched my account for years, is it still there?",
        "policies/dormant-account-policy",
    ),
    ("My wallet is gone", "faq/lost-or-stolen-card"),
    ("I moved to a new apartment", "faq/change-address"),
    ("I cannot get into online banking any more", "faq/reset-password"),
    ("Please cancel the payment to my gym", "faq/stop-payment"),
    ("Will my card work in Japan next month?", "faq/travel-notice"),
    ("My boss needs to know where to send my wages", "faq/direct-deposit"),
    ("I would like to be able to charge more on my card", "faq/credit-limit"),
    ("Somebody texted me to confirm my login, is this a scam?", "faq/suspicious-message"),
    ("I am at college and have little money, what do you offer?", "products/student-checking"),
    ("I have no credit history yet, which card could I get?", "products/secured-card"),
    ("I am buying a used truck", "products/auto-loan"),
    ("I want to lock my savings away for three years", "products/certificates"),
    ("Does anybody there speak Spanish?", "general/languages-and-accessibility"),
    ("Are you open on the weekend?", "general/branch-hours"),
)
"""Question and the end of the article's address."""


@dataclass(frozen=True, slots=True)
class Marks:
    """How well a search did on the questions."""

    first: int
    """How often the right article came first."""
    among_three: int
    asked: int

    def __str__(self) -> str:
        return f"right first {self.first:2}, among three {self.among_three:2} of {self.asked}"


def marks_of(answers: Sequence[Sequence[str]]) -> Marks:
    """Mark the addresses that were found, one list for each question, best first."""
    ranks = [
        [url.endswith(f"/{wanted}") for url in urls[:3]]
        for urls, (_, wanted) in zip(answers, QUESTIONS, strict=True)
    ]
    return Marks(sum(any(one[:1]) for one in ranks), sum(any(one) for one in ranks), len(ranks))

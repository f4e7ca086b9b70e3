"""Two hundred things that must never be written down, as people say, type and are called them."""

import re
from dataclasses import dataclass
from itertools import cycle

from tests.phone_examples import PHONE_EXAMPLES


@dataclass(frozen=True, slots=True)
class Canary:
    """A value, and a sentence as somebody would say it."""

    value: str
    sentence: str

    @property
    def traces(self) -> tuple[str, ...]:
        """What would give it away: as it is, and without its separators."""
        digits = "".join(one for one in self.value if one.isdigit())
        is_number = digits and not any(one.isalpha() for one in self.value)
        return (self.value, digits) if is_number else (self.value,)


_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d[.,]\d+")

_ASKS = ("Call me on {}.", "My phone number is {}", "you reach me at {} or by mail", "tel {}")
_CARDS = (
    *("4111111111111111", "4111 1111 1111 1111", "4012-8888-8888-1881", "5555 5555 5555 4444"),
    *("5105105105105100", "2223003122003222", "378282246310005", "3714 496353 98431"),
    *("30569309025904", "3852 0000 0232 37", "6011 1111 1111 1117", "6011000990139424"),
    *("3530 1113 3330 0000", "3566002020360505", "6200 0000 0000 0005", "4222222222222"),
)
_EMAILS = (
    *("ann.miller@example.com", "a.b+tag@mail.example.co.uk", "o_neil@example.org"),
    *("m\u00fcller@b\u00fccher.example", "ANN@EXAMPLE.NET", "ann (at) example.com"),
    *("ann at example dot com", "x1234567@example.io", "sip.user-7@voice.example"),
)
_SSNS = tuple(f"{area:03}-{group:02}-{area * 7 % 9000 + 1000}" for area, group in (
    (123, 45), (219, 9), (457, 55), (721, 7), (78, 5), (901, 70), (666, 12),
))  # fmt: skip
_BARE_SSNS = ("123456789", "219099999", "457555462")
_CODES = tuple(str(number * 7919 % 900_000 + 100_000) for number in range(31, 49))
_CODE_SAYS = ("The code is {}.", "my PIN is {}", "{} is my verification code", "one-time code: {}")
_ABROAD = tuple(one.international for one in PHONE_EXAMPLES)
_E164 = tuple(one.e164 for one in PHONE_EXAMPLES)
_AT_HOME = tuple(one.national for one in PHONE_EXAMPLES)


def _said(values: tuple[str, ...], sentences: tuple[str, ...]) -> list[Canary]:
    pairs = zip(values, cycle(sentences), strict=False)
    return [Canary(value, sentence.format(value)) for value, sentence in pairs]


CANARIES = (
    *_said(_E164, ("it is {}", *_ASKS)),
    *_said(_ABROAD, ("it is {}", *_ASKS)),
    *_said(_AT_HOME[0::3] + _AT_HOME[1::3], _ASKS),
    *_said(_CARDS, ("Charge {}.", "my card {} 12/29", "{}")),
    *_said(_EMAILS, ("write to {} please", "{}", "<{}>")),
    *_said(_SSNS, ("{}", "my number is {}.", "SSN {}")),
    *_said(_BARE_SSNS, ("my social is {}", "ssn: {}")),
    *_said(_CODES, _CODE_SAYS),
)


def found_in(text: str) -> list[Canary]:
    """What *text* gives away; the fraction of a second in a timestamp may be any code."""
    text = _TIMESTAMP.sub("", text)
    return [one for one in CANARIES if any(trace in text for trace in one.traces)]

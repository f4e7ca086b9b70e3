"""What the words beside a number say of it."""

import re
from enum import Enum, auto


class Topic(Enum):
    """What a number is likely to be."""

    PHONE = auto()
    CODE = auto()
    SSN = auto()
    THING = auto()
    """An order, a duration, a count: nobody's number."""
    UNKNOWN = auto()


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_PHONE = _set(
    "phone phones telephone tel mobile cell cellphone landline fax call calling caller callback"
    " dial dialed dialled dialing dialling ring reach sms whatsapp msisdn ani telefon telefono"
    " handy portable"
)
_CODE = _set(
    "code codes pin pins pincode otp totp mfa passcode password cvv cvc csc tan verification"
)
_SSN = frozenset(("ssn", "social", "itin"))
_THING = _set(
    "order orders ref reference invoice ticket case tracking booking reservation confirmation"
    " transaction id ids uuid guid serial sku isbn version build port byte bytes epoch timestamp"
    " ts ms us ns token tokens count counter offset size pid thread seq sequence row took duration"
    " total length len memory chars attempt turn index hash nonce trace span etag cursor usage"
    " completion prompt sum min max avg amount balance price cost usd eur gbp dollars"
)
_WEAK_PHONE = frozenset(("number", "numbers", "no", "nr", "nummer", "numero"))
"""A phone's, unless a word further away says whose else."""
_PUBLIC_CODES = _set(
    "status error exit sub result response close http sip zip post postal area country reason"
    " return currency dial language diagnostic source byte op char key bar promo discount product"
    " event"
)
_UNITS = _set(
    "ms s sec secs second seconds us ns minutes hours byte bytes kb mb gb token tokens chars"
    " characters rows samples hz items times hits messages frames requests usd eur gbp dollars"
    " euros"
)
_WORD = re.compile(r"[^\W\d_]+")
_NEXT_WORD = re.compile(r"\s*([^\W\d_]+)")
_CALLS_IT = re.compile(r"\W*(?:is|was)\b(.{0,30})", re.IGNORECASE | re.DOTALL)
_NEAR = 6


def topic_of(before: str) -> Topic:
    """What the nearest telling word of *before* says of the number that follows it."""
    words = _WORD.findall(before.lower())[: -_NEAR - 1 : -1]
    is_weak_phone = False
    for place, word in enumerate(words):
        further = words[place + 1] if place + 1 < len(words) else ""
        if word in _CODE:
            return Topic.THING if further in _PUBLIC_CODES else Topic.CODE
        if word in _SSN:
            return Topic.SSN
        if word in _PHONE or (word == "id" and further == "caller"):
            return Topic.PHONE
        if word in _THING:
            return Topic.THING
        is_weak_phone = is_weak_phone or word in _WEAK_PHONE
    return Topic.PHONE if is_weak_phone else Topic.UNKNOWN


def is_unit_after(after: str) -> bool:
    """Whether the next word makes a quantity of the number before it."""
    word = _NEXT_WORD.match(after)
    return word is not None and word[1].lower() in _UNITS


def is_code_after(after: str) -> bool:
    """Whether *after* calls the number before it a code, as in "1234 is my PIN"."""
    called = _CALLS_IT.match(after)
    words = ["", *_WORD.findall(called[1].lower())[:4]] if called else []
    places = [place for place, word in enumerate(words) if word in _CODE]
    return bool(places) and words[places[0] - 1] not in _PUBLIC_CODES

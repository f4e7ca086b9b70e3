"""What a run of digits is: a phone number, a card, an SSN, a code, or nobody's business.

Shapes that only people's numbers have decide alone; all others need a word beside them. A number
that could be either is taken for a person's: a lost order number costs less than a leaked phone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from shared.telemetry.context_words import Topic, is_code_after, is_unit_after, topic_of

_SPACE = " \u00a0\u2009\u202f"
_GAP = rf"[{_SPACE}.()/\-\u2010-\u2015]"
_RUN = re.compile(rf"(?:\+|%2B){_GAP}{{0,2}}\d(?:{_GAP}{{0,3}}\d)*|\(?\d(?:{_GAP}{{0,3}}\d)*")
"""Digits with at most three separators between them. Linear: no character fits two parts."""
_GROUP = re.compile(r"\d+")

_SSN = re.compile(rf"\d{{3}}[{_SPACE}\-\u2010-\u2015]\d{{2}}[{_SPACE}\-\u2010-\u2015]\d{{4}}")
_NANP = r"[2-9](?!11)\d{2}[2-9]\d{6}"
_BARE = re.compile(rf"1?{_NANP}|0[1-9]\d{{8,9}}|(?:00|011)[1-9]\d{{8,13}}")
"""Without a separator: North America, a trunk 0, or an international prefix."""
_FORMATTED_NANP = re.compile(
    rf"(?:1[{_SPACE}.\-]{{1,2}})?(?:\(\d{{3}}\)[{_SPACE}]?|\d{{3}}[{_SPACE}.\-])\d{{3}}[{_SPACE}.\-]\d{{4}}"
)
_CARD = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)\d+"  # Mastercard
    r"|3[47]\d{13}|3(?:0[0-5]|[689])\d{11,16}|35\d{14,17}"  # Amex, Diners, JCB
    r"|(?:50|5[6-9]|6)\d{11,17}"  # Maestro, Discover, UnionPay, RuPay
)
_MASTERCARD_DIGITS = 16
MIN_DIGITS, MAX_DIGITS = 4, 19


class Kind(StrEnum):
    """What was found, as it is written in its place."""

    PHONE = "[phone]"
    CARD = "[card]"
    SSN = "[ssn]"
    CODE = "[code]"


@dataclass(frozen=True, slots=True)
class Found:
    """A number that must go."""

    start: int
    end: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some groups of a run."""

    text: str
    digits: str
    groups: tuple[int, ...]
    """Digits in each group."""
    after: str
    """What follows it in the text."""

    @property
    def is_international(self) -> bool:
        return self.text.startswith(("+", "%2B"))


def find_numbers(
    text: str, start: int, end: int, *, about: str, needs_context: bool
) -> Iterator[Found]:
    """The numbers of people in ``text[start:end]``, in order.

    Args:
        text: What they stand in; the words before *start* count too.
        start: Where to begin.
        end: Where to end.
        about: What the text is about, as a key or column says.
        needs_context: Without a word beside it only a card or a ``+`` counts.
    """
    for run in _RUN.finditer(text, start, end):
        if run.end() - run.start() >= 4:
            yield from _Run(text, run.start(), run.end(), about, needs_context).numbers()


class _Run:
    """Digits and separators, which may be several numbers in a row.

    "4111 1111 1111 1111 12/27" is a card and a month: a number ends at a space or at the end.
    """

    def __init__(self, text: str, start: int, end: int, about: str, needs_context: bool) -> None:
        self._text = text
        self._about = about
        self._needs_context = needs_context
        sign = 3 if text.startswith("%2B", start) else 0
        self._groups = [one.span() for one in _GROUP.finditer(text, start + sign, end)]
        self._starts = [one[0] - (text[one[0] - 1] == "(") for one in self._groups]
        self._starts[0] = start
        self._borders = [
            at in (0, len(self._groups)) or self._has_space_before(at)
            for at in range(len(self._groups) + 1)
        ]

    def numbers(self) -> Iterator[Found]:
        """What is in it, the longest number first where several readings begin alike."""
        first = 0
        while first < len(self._groups):
            last = None
            if self._borders[first]:
                for last, kind in self._candidates(first):
                    yield Found(self._starts[first], self._groups[last - 1][1], kind)
                    break
                else:
                    last = None
            first = last or first + 1

    def _candidates(self, first: int) -> Iterator[tuple[int, Kind]]:
        ends, count = [], 0
        for last in range(first, len(self._groups)):
            count += self._groups[last][1] - self._groups[last][0]
            if count > MAX_DIGITS:
                break
            if count >= MIN_DIGITS and self._borders[last + 1]:
                ends.append(last + 1)
        if not ends:
            return
        start = self._starts[first]
        before = self._text[max(0, start - 48) : start]
        topic = topic_of(f"{self._about} {before}" if start < 48 else before)
        for last in reversed(ends):
            piece = self._piece(first, last)
            kind = _kind_of(piece, topic, _is_glued(before, piece), self._needs_context)
            if kind is not None:
                yield last, kind

    def _piece(self, first: int, last: int) -> _Piece:
        groups = self._groups[first:last]
        end = groups[-1][1]
        return _Piece(
            text=self._text[self._starts[first] : end],
            digits="".join(self._text[one[0] : one[1]] for one in groups),
            groups=tuple(one[1] - one[0] for one in groups),
            after=self._text[end : end + 40],
        )

    def _has_space_before(self, at: int) -> bool:
        gap = self._text[self._groups[at - 1][1] : self._groups[at][0]]
        return any(one in _SPACE for one in gap)


def _is_glued(before: str, piece: _Piece) -> bool:
    """Whether a letter touches the number, which makes it part of an identifier."""
    after = piece.after
    if after[:1] == "_" or (after[:1].isalpha() and not after.lower().startswith(("x", "ext"))):
        return True
    if before[-2:] in ("\\n", "\\r", "\\t") or not piece.text[0].isdigit():
        return False  # an escape in a quoted text; a bracket or a plus
    return before[-1:].isalnum() or before[-1:] == "_"


def _kind_of(piece: _Piece, topic: Topic, is_glued: bool, needs_context: bool) -> Kind | None:
    count = len(piece.digits)
    if count >= 13 and _is_card(piece.digits):
        return Kind.CARD
    if piece.is_international:
        return Kind.PHONE if 7 <= count <= 15 else None
    if is_glued or count > 15:
        return None
    is_quantity = is_unit_after(piece.after) or _is_decimal(piece)
    kind = _kind_by_words(piece, topic, is_quantity)
    if kind is None and not needs_context:
        kind = _kind_by_shape(piece, may_be_phone=topic is not Topic.THING and not is_quantity)
    return kind


def _kind_by_words(piece: _Piece, topic: Topic, is_quantity: bool) -> Kind | None:
    count = len(piece.digits)
    if topic is Topic.SSN and count in (4, 9):
        return Kind.SSN
    if count <= 8 and (topic is Topic.CODE or is_code_after(piece.after)):
        return Kind.CODE
    is_phone = topic is Topic.PHONE and count >= 7 and not is_quantity
    return Kind.PHONE if is_phone else None


def _kind_by_shape(piece: _Piece, *, may_be_phone: bool) -> Kind | None:
    if _SSN.fullmatch(piece.text):
        return Kind.SSN
    if _FORMATTED_NANP.fullmatch(piece.text):
        return Kind.PHONE
    return Kind.PHONE if may_be_phone and _is_phone_shaped(piece) else None


def _is_decimal(piece: _Piece) -> bool:
    return len(piece.groups) == 2 and piece.text[piece.groups[0]] == "."


def _is_phone_shaped(piece: _Piece) -> bool:
    """Whether only the shape of *piece* makes it a phone number as people write them."""
    if len(piece.groups) == 1:
        return _BARE.fullmatch(piece.digits) is not None
    gaps = set(_GROUP.sub("", piece.text)) - set("()")
    if "." in gaps and (len(gaps) > 1 or _is_decimal(piece)):
        return False  # decimals
    first, *others = piece.groups
    if len(piece.groups) > 7 or first > 9 or any(not 2 <= one <= 9 for one in others):
        return False  # versions, ids with a counter, long keys
    least = 8 if piece.digits[0] == "0" or set(piece.groups) == {2} else 9
    return least <= len(piece.digits) <= 15


def _is_card(digits: str) -> bool:
    plain = "".join(str(int(one)) for one in digits)
    shape = _CARD.fullmatch(plain)
    is_mastercard = plain[0] == "2" or plain[:2] in ("51", "52", "53", "54", "55")
    if shape is None or (is_mastercard and len(plain) != _MASTERCARD_DIGITS):
        return False
    total = 0
    for place, one in enumerate(reversed(plain)):
        value = int(one) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0

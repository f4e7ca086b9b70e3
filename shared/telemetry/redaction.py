"""The one filter between what people said and what is written down: logs, spans, summaries.

Takes out phone numbers, card numbers, e-mail addresses, social security numbers and codes by their
shape and the words beside them; names, passwords and the like by the key they stand under. Names
in running text are not found: they must not be there.
"""

import math
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from shared.telemetry.digits import find_numbers

_MAX_DEPTH = 8

_MAYBE = re.compile(r"\d{3}|\d\W{1,3}\d|@|eyJ|[Bb]earer |[?&][\w-]{3,}=|[ \[(]at[ \])]")
"""A text without any of these has nothing to take out; most log lines end here."""

_SECRETS = re.compile(
    r"(?P<token>(?<![\w-])eyJ[\w-]{10,}\.[\w-]+(?:\.[\w-]+)?)"
    r"|(?P<bearer>(?<=[Bb]earer )[\w.~+/=-]{8,})"
    r"|(?P<query>(?<=[?&]sig=)[^&\s\"']+|(?<=[?&]code=)[^&\s\"']+|(?<=[?&]token=)[^&\s\"']+)"
    r"|(?P<email>(?<![\w.+%-])[\w.+%-]+(?:@|\s?[\[(]at[\])]\s?)[\w-]+(?:\.[\w-]+)+"
    r"|(?<![\w.+%-])[\w.+%-]+ at [\w-]+(?: dot [\w-]+)+)"
)
_WRITTEN = {"token": "[token]", "bearer": "[token]", "query": "[token]", "email": "[email]"}

_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_DATE = r"(?:19|20)\d\d([-/.])(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])"
_TIME = r"[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_HARMLESS = re.compile(
    r"(?<!\w)[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?!\w)"  # UUID
    r"|(?<!\w)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?!\w)"  # traceparent
    r"|(?<!\w)(?=\d{0,31}[a-fA-F])[0-9a-fA-F]{16,}(?!\w)"  # trace ids, hashes
    rf"|(?<!\d)(?<!\d[-/.]){_DATE}(?:{_TIME})?(?![-/.]?\d)"
    r"|(?<!\d)(?<!\d[-/.])\d{1,2}([-/.])\d{1,2}\2(?:19|20)\d\d(?![-/.]?\d)"  # dates of people
    rf"|(?<![\d.])(?:{_BYTE}\.){{3}}{_BYTE}(?::\d+)?(?![\d.])",  # IP address, perhaps with a port
    re.ASCII,
)


def redact(text: str, *, about: str = "", needs_context: bool = False) -> str:
    """*text* without what identifies or authenticates somebody; in time linear in its length.

    Args:
        text: Anything; a text redacted before stays as it is.
        about: What it is about, as a key or a column name says.
        needs_context: Bare numbers stay unless *about* or a word beside them says whose they are.
    """
    if not _MAYBE.search(text):
        return text
    text = _SECRETS.sub(lambda found: _WRITTEN[found.lastgroup or "token"], text)
    pieces: list[str] = []
    end = 0
    for found in _numbers(text, about, needs_context):
        pieces += (text[end : found[0]], found[2])
        end = found[1]
    return "".join((*pieces, text[end:]))


def _numbers(text: str, about: str, needs_context: bool) -> Iterator[tuple[int, int, str]]:
    start = 0
    harmless = [*((one.start(), one.end()) for one in _HARMLESS.finditer(text)), (len(text), 0)]
    for begins, ends in harmless:
        for one in find_numbers(text, start, begins, about=about, needs_context=needs_context):
            yield one.start, one.end, one.kind
        start = ends


def redact_value(value: object, key: str = "") -> Any:
    """A copy of *value* that can be written as JSON and gives nobody away.

    Texts are redacted, with *key* as the word beside them; what stands under a key such as
    ``caller_name`` or ``password`` goes as a whole. Whatever is neither JSON nor a text is
    described as a text; structures end at a depth of 8, so that circles do.
    """
    return _redacted(value, key, 0)


def _redacted(value: object, key: str, depth: int) -> Any:
    if value is None or isinstance(value, bool) or (isinstance(value, str) and not value):
        return value
    whole = _whole(key)
    if whole is not None:
        return whole
    if isinstance(value, int | float) and not isinstance(value, Enum):
        return _redacted_figure(value, key)
    if isinstance(value, Mapping | list | tuple) and depth < _MAX_DEPTH:
        return _redacted_structure(value, key, depth)
    return redact(_described(value), about=_spoken(key))


def _redacted_figure(value: float, key: str) -> float | str:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)  # JSON has no NaN and no infinity
    if -999 <= value <= 999:
        return value
    text = str(value)
    redacted = redact(text, about=_spoken(key), needs_context=True)
    return value if redacted == text else redacted


def _redacted_structure(value: Any, key: str, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {
            redact(_described(name)): _redacted(one, _described(name), depth + 1)
            for name, one in value.items()
        }
    return [_redacted(one, key, depth + 1) for one in value]


def _described(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - somebody else's __str__; the line must not be lost for it
        return f"<{type(value).__name__}>"


# --- keys ---------------------------------------------------------------------------------------

_SEGMENT = re.compile(r"[A-Z]?[a-z]+\d*|[A-Z]+(?![a-z])\d*|\d+")
_NAMED = (
    "caller full first last middle given family maiden customer client display holder cardholder"
    " contact person recipient payee"
)
_WHOLE: Mapping[str, str] = {
    **dict.fromkeys(("fullname", "firstname", "lastname", "surname", "username"), "[name]"),
    **dict.fromkeys(("pin", "otp", "passcode", "cvv", "cvc", "pincode"), "[code]"),
    **dict.fromkeys(("password", "passwd", "secret", "authorization", "cookie"), "[secret]"),
    **dict.fromkeys(("ssn", "ssn4"), "[ssn]"),
    **dict.fromkeys(("email", "mail"), "[email]"),
    **dict.fromkeys(("dob", "birthdate", "birthday"), "[birth]"),
}
_WHOLE_PAIRS: Mapping[tuple[str, str], str] = {
    **{(one, "name"): "[name]" for one in _NAMED.split()},
    **{(one, "code"): "[code]" for one in ("mfa", "otp", "pin", "verification", "security")},
    **{(one, "key"): "[secret]" for one in ("api", "access", "account", "signing", "subscription")},
    **{(one, "token"): "[secret]" for one in ("access", "refresh", "id", "auth", "bearer")},
    ("connection", "string"): "[secret]",
    ("email", "address"): "[email]",
    ("birth", "date"): "[birth]",
    ("of", "birth"): "[birth]",
    ("account", "holder"): "[name]",
}


@lru_cache(maxsize=2048)
def _segments(key: str) -> tuple[str, ...]:
    return tuple(one.lower() for one in _SEGMENT.findall(key))


@lru_cache(maxsize=2048)
def _whole(key: str) -> str | None:
    """What is written for everything that stands under *key*; None: it depends on the value."""
    segments = _segments(key)
    if "ssn" in segments:
        return _WHOLE["ssn"]
    last, before = ("", "", *segments)[:-3:-1]
    return _WHOLE_PAIRS.get((before, last)) or _WHOLE.get(last)


@lru_cache(maxsize=2048)
def _spoken(key: str) -> str:
    return " ".join(_segments(key))

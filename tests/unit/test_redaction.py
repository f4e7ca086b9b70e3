"""The filter before everything that is written down: what must go goes, what must stay stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.telemetry.redaction import redact
from tests.phone_examples import PHONE_EXAMPLES, PhoneExample

NEED_A_WORD = ("HU", "SG", "HK")
"""At home they write eight digits or fewer in a row, as counts are written too."""

CARDS = (
    "4111111111111111",
    "4111 1111 1111 1111",
    "4012-8888-8888-1881",
    "4222222222222",
    "5555 5555 5555 4444",
    "2223003122003222",
    "378282246310005",
    "3782-822463-10005",
    "30569309025904",
    "6011 1111 1111 1117",
    "3530111333300000",
    "6200000000000005",
    "\u0664\u0661\u0661\u0661 1111 1111 1111",
)

LOOK_ALIKES = (
    "order 1234567890",
    "order no. 4155550100",
    "order 113-1234567-7654321",
    "invoice 2026-000123456",
    "tracking 1Z999AA10123456784",
    "booking reference 02079460958",
    "1764286775",
    "1764286775.123456",
    "started at 1764286775123",
    "1764286775123-0",
    "1764286775123456789 ns",
    "prompt tokens 1234567, completion tokens 7654321",
    "llm.tokens.prompt=123456 gen_ai.usage.output_tokens=987654",
    "used_memory 4155550100 bytes",
    "took 12 345 678 ms",
    "0193f4c2-1111-7222-8333-444455556666",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "12345678901234567890123456789012",
    "127.0.0.1:6380",
    "connected to 10.20.30.40",
    "port 50000",
    "v1.26.0",
    "10.0.19045.5131",
    "redis-py 8.1.0, openai 3.54.0",
    "2026-11-27",
    "2026-11-27T23:39:35.123456+00:00",
    "2026-11-27 23:39",
    "on 27.11.2026 or 11/27/2026",
    "took 12 2026-11-27 23:39:35",
    "20261127T233935Z",
    "status code 1006",
    "error code 40001",
    "sub code 10024",
    "zip code 94107",
    "0.4155550100",
    "0.123456789012",
    "12.50 34.60 78.90",
    "16000 hz, 4096 bytes, 20 ms",
    "listen-12#3.0",
    "call_12345678abcdef",
    "gpt-4o-2024-08-06",
    "AKIA1234567890123456",
    "author's level: 7",
    "50 % of 2000 calls",
    "",
)


@pytest.mark.parametrize("example", PHONE_EXAMPLES, ids=lambda one: one.e164)
def test_redact_takes_out_phone_numbers_of_many_countries(example: PhoneExample) -> None:
    """However a number is written, a reader of the logs must not be able to call it."""
    for text in (example.e164, example.international, f"tel:{example.e164}", f"4:{example.e164}"):
        assert digits_of(redact(f"a {text} b")) <= 1, text
    assert redact(f"please call me on {example.national}") == "please call me on [phone]"
    if example.country not in NEED_A_WORD:
        assert redact(f"it is {example.national}, thanks") == "it is [phone], thanks"


@pytest.mark.parametrize(
    "text",
    [
        "(415) 555-0100",
        "415.555.0100",
        "1-415-555-0100",
        "4155550100",
        "14155550100",
        "02079460958",
        "011 44 20 7946 0958",
        "0044 20 7946 0958",
        "%2B14155550100",
        "+44 (0)20 7946 0958",
        "+49\u00a0171\u2011234567",
        "my number is 612345678",
        "caller id 442079460958",
        "sip:+14155550100@sbc.example",
        "order 415-555-0100",
        "415-555-0100 x12",
        "phone \u0660\u0667\u0669\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",
    ],
)
def test_redact_takes_out_phone_numbers_as_people_write_them(text: str) -> None:
    """Shapes that only phone numbers have, and bare digits beside a telling word."""
    assert digits_of(redact(text)) <= 2
    assert "[" in redact(text)


@pytest.mark.parametrize("card", CARDS)
def test_redact_takes_out_card_numbers_as_a_whole(card: str) -> None:
    """Not one digit of a card may be left over, nor may it be taken for a phone number."""
    assert redact(f"paid with {card} 12/27") == "paid with [card] 12/27"
    assert redact(f"order {card}") == "order [card]"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("ssn 123-45-6789", "ssn [ssn]"),
        ("it is 123 45 6789.", "it is [ssn]."),
        ("my social is 123456789", "my social is [ssn]"),
        ("last four of my social: 6789", "last four of my social: [ssn]"),
        ("the code is 123456", "the code is [code]"),
        ("code: 123 456", "code: [code]"),
        ("pin=1234&x", "pin=[code]&x"),
        ('{"otp": "482913"}', '{"otp": "[code]"}'),
        ("1234 is my pin", "[code] is my pin"),
        ("482913 is your verification code", "[code] is your verification code"),
        ("PIN 1 2 3 4", "PIN [code]"),
        ("write to ann.b+c@mail.example.co.uk now", "write to [email] now"),
        ("ann@example.com,bob@example.org", "[email],[email]"),
        ("ann (at) example.com", "[email]"),
        ("ann at example dot com", "[email]"),
        ("b\u00fccher@b\u00fccher.example", "[email]"),
        ("GET /x?exp=12&sig=abc.def-123&y=1", "GET /x?exp=12&sig=[token]&y=1"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer [token]"),
        ("got eyJhbGciOiJub25l.eyJzdWIi.c2ln", "got [token]"),
        ("415-555-0100 415-555-0101", "[phone] [phone]"),
        ("a\\n4155550100", "a\\n[phone]"),
    ],
)
def test_redact_takes_out_what_authenticates_or_names_somebody(text: str, left: str) -> None:
    """Each kind leaves its name behind, so that a reader knows what stood there."""
    assert redact(text) == left


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_redact_leaves_what_only_looks_alike(text: str) -> None:
    """A log whose order numbers and durations are gone is of no use to anybody."""
    assert redact(text) == text


def test_redact_wants_a_word_beside_bare_numbers_when_asked_to() -> None:
    """A figure that code has counted is a figure, unless its name says that it is a number."""
    assert redact("4155550100", needs_context=True) == "4155550100"
    assert redact("4155550100", about="phone", needs_context=True) == "[phone]"


NOISE = st.text(st.sampled_from("0123456789 +-().@aeyJ%2B/_\n:?&=sig"), max_size=300)


@given(NOISE)
def test_redact_again_changes_nothing(text: str) -> None:
    """A text passes the boundary of the log and that of the archive."""
    once = redact(text)
    assert redact(once) == once


@given(NOISE, st.sampled_from(CARDS), NOISE)
def test_redact_finds_a_card_whatever_stands_around_it(before: str, card: str, after: str) -> None:
    """Digits nearby must not hide it, as long as words keep them apart."""
    assert card not in redact(f"{before} then {card}, {after}")


@pytest.mark.parametrize(
    ("part", "times"),
    [
        *((one, 100_000) for one in ("a", "1", "1-", "a@", "a.", "eyJ", "a at ", "?sig=")),
        *((one, 5_000) for one in ("1 ", "(1) ", "+1", "12 34 ")),
    ],
)
def test_redact_takes_time_in_proportion_to_the_length(part: str, times: int) -> None:
    """A text that makes a pattern backtrack would outlast the test's time limit by hours."""
    assert len(redact(part * times)) <= 3 * times * len(part)


def digits_of(text: str) -> int:
    """How many digits are left."""
    return sum(one.isdigit() for one in text)

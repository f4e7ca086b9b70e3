"""The cutting of a streamed reply into sentences."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.agent.sentences import MAX_SENTENCE_CHARS, SentenceCutter, spoken


def cut(*deltas: str) -> list[str]:
    """Feed the deltas and flush; the sentences, in order."""
    cutter = SentenceCutter()
    sentences = [sentence for delta in deltas for sentence in cutter.feed(delta)]
    rest = cutter.flush()
    return [*sentences, rest] if rest else sentences


def test_cutter_cuts_at_the_end_of_each_sentence() -> None:
    """Each sentence is spoken as soon as it is known to be complete."""
    text = "Your balance is fine. Would you like more? That is great news! Well… Let us go on now."
    assert cut(text) == [
        "Your balance is fine.",
        "Would you like more?",
        "That is great news!",
        "Well… Let us go on now.",
    ]


def test_cutter_gives_a_sentence_when_the_next_one_begins() -> None:
    """The first sentence does not wait for the second: that is the caller's silence."""
    cutter = SentenceCutter()
    assert cutter.feed("Your balance") == []
    assert cutter.feed(" is fine.") == []
    assert cutter.feed(" Would") == ["Your balance is fine."]
    assert cutter.feed(" you like") == []
    assert cutter.flush() == "Would you like"


def test_cutter_tells_when_the_next_sentence_has_begun() -> None:
    """The last sentence of a turn is spoken in another way, so it must be known for the last."""
    cutter = SentenceCutter()
    assert not cutter.has_more
    cutter.feed("Your balance is fine. ")
    assert cutter.has_more
    assert cutter.feed("*") == ["Your balance is fine."]
    assert not cutter.has_more
    cutter.feed("W")
    assert cutter.has_more
    cutter.flush()
    assert not cutter.has_more


@pytest.mark.parametrize(
    "sentence",
    [
        "You have $1,250.75 in your account.",
        "Please ask Mr. Jones or Dr. Smith about it.",
        "Bring a document, e.g. a passport or a licence.",
        "The U.S. Treasury sets that rate.",
        "We are open from 9 a.m. until 5 p.m. Monday to Friday.",
        "It is the 3. floor of the building.",
        "Choose one of these: 1. Checking or savings.",
        "Write to help.desk@bank.example.com about it.",
        "See https://bank.example.com/fees.html?a=1.2 for that.",
        "Please look at No. 5 on the list of fees.",
        "It was signed by J. R. Ewing in person.",
        "Version 2.5.1 of the terms applies here.",
    ],
)
def test_cutter_keeps_dots_that_are_no_full_stop(sentence: str) -> None:
    """A cut within a number, an abbreviation or an address would be heard as a stumble."""
    assert cut(sentence + " And here is another one.") == [sentence, "And here is another one."]


def test_cutter_cuts_after_a_word_that_is_only_sometimes_an_abbreviation() -> None:
    """The word "No." before anything but a number is an answer, not an abbreviation."""
    assert cut("I am afraid it is a no. Try again.") == ["I am afraid it is a no.", "Try again."]


def test_cutter_joins_short_pieces_with_the_next() -> None:
    """A prompt of one word sounds choppy and costs a round trip."""
    assert cut("Hi. Sure. I can look that up. Ok?") == ["Hi. Sure. I can look that up.", "Ok?"]


def test_cutter_keeps_closing_quotes_with_their_sentence() -> None:
    """A quotation mark that opens the next sentence would belong to nothing."""
    assert cut('They said "it is done." Then they left (at once.) Fine with me.') == [
        'They said "it is done."',
        "Then they left (at once.)",
        "Fine with me.",
    ]


def test_cutter_cuts_at_line_ends() -> None:
    """The items of a list are separate prompts although no full stop ends them."""
    assert cut("Your accounts are:\n- Checking account\n- **Savings** account\n") == [
        "Your accounts are:",
        "Checking account",
        "Savings account",
    ]


def test_cutter_forces_a_cut_at_the_last_comma() -> None:
    """A sentence that never ends is spoken in parts, cut where a speaker would breathe."""
    text = "word " * 40 + "pause, " + "word " * 40
    first, second = cut(text)
    assert first.endswith("pause,")
    assert f"{first} {second}" == text.strip()


def test_cutter_forces_a_cut_where_nothing_invites_one() -> None:
    """Even text without spaces cannot make the caller wait for ever, and none of it is lost."""
    spaced, solid = cut("word " * 100), cut("x" * 800)
    assert [len(part) for part in solid] == [350, 350, 100]
    assert " ".join(spaced) == ("word " * 100).strip()
    assert max(map(len, spaced)) <= MAX_SENTENCE_CHARS
    assert len(cut("word " * 100 + "end. Another one follows.")) == 3


def test_cutter_starts_afresh_after_flush() -> None:
    """One cutter serves a whole turn; a second flush has nothing left to say."""
    cutter = SentenceCutter()
    cutter.feed("- Half a sentence")
    assert cutter.flush() == "Half a sentence"
    assert cutter.flush() == ""
    assert cutter.feed("- Another sentence here. Next") == ["Another sentence here."]


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("**Important:** the *fee* is `35` dollars.", "Important: the fee is 35 dollars."),
        ("## Your fees\nare here", "Your fees are here"),
        ("See [our terms](https://bank.example.com/terms) now.", "See our terms now."),
        ("![logo](https://x.example/logo.png) of the bank", "logo of the bank"),
        ("> quoted\n* first\n+ second\n• third", "quoted first second third"),
        ("```text\ncode\n```", "code"),
        ("above\n\n---\n\nbelow", "above below"),
        ("_really_ and __truly__ yours", "really and truly yours"),
        ("<https://bank.example.com>", "https://bank.example.com"),
        ("dial *67 or *69, 2 * 3 = 6, 2*3*4, snake_case_name, a - b, #1 bank", None),
        ("write to first_last_@bank.example.com", None),
    ],
)
def test_spoken_takes_out_markdown_and_nothing_else(written: str, heard: str | None) -> None:
    """Nobody wants to hear "asterisk asterisk", but a star to be dialled must survive."""
    assert spoken(written) == (written if heard is None else heard)


def test_cutter_takes_out_emphasis_that_spans_sentences() -> None:
    """Emphasis is opened in one sentence and closed in another one when a model warns."""
    assert cut("**Please take care. This is final.** Shall I?") == [
        "Please take care.",
        "This is final.",
        "Shall I?",
    ]


def test_cutter_keeps_a_link_whole() -> None:
    """A cut within a link's text would leave an address to be read aloud."""
    assert cut("Read [the terms. All of them](https://x.example/t) first. Then sign here.") == [
        "Read the terms. All of them first.",
        "Then sign here.",
    ]


def test_cutter_takes_a_dash_within_a_line_for_a_dash() -> None:
    """A sentence that begins with a dash in mid-line is not an item of a list."""
    assert cut("That is the end of it. - Or so they say.") == [
        "That is the end of it.",
        "- Or so they say.",
    ]


fragments = st.lists(
    st.sampled_from(
        [
            *[
                "Hello",
                "the fee",
                "is",
                "word",
                "x" * 60,
                "Mr",
                "e.g",
                "a.m",
                "U.S",
                "No",
                "Ü",
                "12",
            ],
            *[". ", ".", "? ", "! ", "… ", "...", ", ", " ", "  ", "\n", "\r\n", "\t", "\u00a0"],
            *["$1,250.75", "a@b.co", "https://x.io/a?b=1.", '"', "”", ")", "(", "- ", "1. "],
            *["**", "*", "_", "`", "# ", "> ", "[", "]", "](http://x.io)", "```", "---", "\0"],
        ]
    ),
    max_size=60,
).map("".join)


@given(text=st.one_of(fragments, st.text(max_size=200)), data=st.data())
def test_cutter_does_not_depend_on_the_deltas(text: str, data: st.DataObject) -> None:
    """The network decides how a reply is split; it must not decide what the caller hears."""
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=8).map(sorted))
    edges = [0, *places, len(text)]
    deltas = [text[start:end] for start, end in itertools.pairwise(edges)]
    whole = cut(text)
    assert cut(*deltas) == whole
    assert cut(*text) == whole


@given(text=st.text(alphabet=st.sampled_from("abc XY.,!?…12\n\"'()$%-"), max_size=1200))
def test_cutter_loses_nothing(text: str) -> None:
    """What the model wrote is what is spoken, up to white space and bullets."""
    sentences = cut(text)
    assert re.sub(r"[\s-]", "", "".join(sentences)) == re.sub(r"[\s-]", "", text)
    assert all(sentence and len(sentence) <= MAX_SENTENCE_CHARS for sentence in sentences)


@given(text=fragments)
def test_cutter_keeps_every_word_of_marked_up_text(text: str) -> None:
    """Taking out Markdown takes out marks and link targets, never words."""
    words = re.findall(r"\w+", re.sub(r"\]\([^()]*\)|```\w*|_", " ", text))
    heard = "".join(cut(text))
    assert all(word in heard for word in words)

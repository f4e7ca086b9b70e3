"""How what is written is spoken, and the grammar of a list of phrases."""

import re
from collections.abc import Container, Sequence

_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def spoken(text: str) -> str:
    """The words of *text* in lower case; figures one by one: ``1234`` is ``one two three four``."""
    text = re.sub(r"[0-9]", lambda match: f" {_NAMES[int(match[0])]} ", text.replace("\u2019", "'"))
    return " ".join(re.findall(r"[a-z]+(?:'[a-z]+)?", text.lower()))


def read_out(text: str) -> str:
    """*text* as a caller reads it to a voice: figures one by one, the rest as it is."""
    return re.sub(r"(?<=[0-9])(?=[0-9])", " ", text)


def known_words(text: str, known: Container[str]) -> list[str]:
    """The spoken words of *text* that have a pronunciation."""
    return [word for word in spoken(text).split() if word in known]


def write_grammar(sentences: Sequence[str]) -> str:
    """A JSGF grammar of whole sentences."""
    return f"#JSGF V1.0;\ngrammar phrases;\npublic <phrase> = {' | '.join(sentences)};\n"

"""What is to be spoken, read from a request for speech."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET

_RATES = {"x-slow": 0.5, "slow": 0.64, "medium": 1.0, "fast": 1.55, "x-fast": 2.0}
_SPEAK = "speak"


class BadSsmlError(ValueError):
    """The document cannot be spoken."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Text and how to say it."""

    text: str
    voice: str
    rate: float = 1.0
    """Times the voice's own speed."""
    style: str | None = None


def read_ssml(document: str) -> Passage:
    """Read a document; of prosody, the first rate counts, for the whole of it.

    Raises:
        BadSsmlError: It is not well formed, or names no voice.
    """
    try:
        root = ET.fromstring(document)
    except ET.ParseError as err:
        raise BadSsmlError("The SSML is not well formed.") from err
    if _name(root) != _SPEAK:
        raise BadSsmlError("The SSML does not begin with speak.")
    voice, style, rate = "", None, 1.0
    for element in root.iter():
        if _name(element) == "voice":
            voice = voice or element.get("name", "")
        elif _name(element) == "express-as":
            style = style or element.get("style")
        elif _name(element) == "prosody" and (asked := element.get("rate")):
            rate = read_rate(asked)
    if not voice:
        raise BadSsmlError("The SSML names no voice.")
    text = re.sub(r"\s+", " ", "".join(root.itertext())).strip()
    return Passage(text, voice, rate, style)


def read_rate(value: str) -> float:
    """The speed a prosody rate asks for: ``+10%``, ``1.2`` or ``fast``; odd values are 1.0."""
    value = value.strip()
    if value in _RATES:
        return _RATES[value]
    match = re.fullmatch(r"([+-]?\d+(?:\.\d+)?)(%?)", value)
    if match is None:
        return 1.0
    rate = 1.0 + float(match[1]) / 100 if match[2] else float(match[1])
    return max(0.5, min(2.0, rate))


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]

"""What is sent to the speech service."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from shared.speech.voices import Voice, build_ssml

SPEECH = "{http://www.w3.org/2001/10/synthesis}"
MSTTS = "{https://www.w3.org/2001/mstts}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def test_voice_without_manner_is_plain() -> None:
    """Plain text is shorter and cached better than SSML."""
    assert Voice("v", "en-US").is_plain
    assert not Voice("v", "en-US", style="calm").is_plain
    assert not Voice("v", "en-US", rate="+5%").is_plain
    assert not Voice("v", "en-US", pitch="-1st").is_plain


def test_ssml_carries_the_whole_manner() -> None:
    """Style, rate and pitch stand where the speech service looks for them."""
    voice = Voice("en-US-AvaNeural", "en-US", style="calm", rate="+5%", pitch="-1st")
    speak = ElementTree.fromstring(build_ssml("Hello.", voice))
    assert (speak.tag, speak.get(LANG), speak.get("version")) == (f"{SPEECH}speak", "en-US", "1.0")
    (element,) = speak
    assert (element.tag, element.attrib) == (f"{SPEECH}voice", {"name": "en-US-AvaNeural"})
    (manner,) = element
    assert (manner.tag, manner.attrib) == (f"{MSTTS}express-as", {"style": "calm"})
    (prosody,) = manner
    assert prosody.attrib == {"rate": "+5%", "pitch": "-1st"}
    assert prosody.text == "Hello."


def test_ssml_leaves_out_what_is_unset() -> None:
    """An empty attribute is an error for the speech service."""
    ssml = build_ssml("Hello.", Voice("v", "en-US", rate="+5%"))
    assert "express-as" not in ssml
    assert "pitch" not in ssml
    assert "prosody" not in build_ssml("Hello.", Voice("v", "en-US", style="calm"))


@given(st.text(), st.text(), st.text())
def test_ssml_speaks_arbitrary_text_and_obeys_none(text: str, style: str, rate: str) -> None:
    """Neither the model nor a caller can smuggle in markup or break the document."""
    speak = ElementTree.fromstring(build_ssml(text, Voice(rate, "en-US", style=style, rate=rate)))
    assert [element.tag for element in speak.iter()] == [
        *(f"{SPEECH}speak", f"{SPEECH}voice", f"{MSTTS}express-as", f"{SPEECH}prosody")
    ]
    heard = "".join(speak.itertext())
    unspoken = {*map(chr, (*range(0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF))}
    assert [c for c in heard if c not in unspoken] == [c for c in text if c not in unspoken]

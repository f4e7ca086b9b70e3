"""How a voice sounds, and the document that tells the speech service."""

from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

_CONTROLS = (code for code in range(0x20) if code not in (0x09, 0x0A, 0x0D))
_SURROGATES = range(0xD800, 0xE000)
_NOT_IN_XML = dict.fromkeys([*_CONTROLS, *_SURROGATES, 0xFFFE, 0xFFFF])
"""Characters that XML 1.0 cannot hold, not even escaped."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of the speech service and the way it speaks."""

    name: str
    """For example ``en-US-AvaMultilingualNeural``."""
    locale: str
    """For example ``en-US``; also the language that is listened for."""
    style: str | None = None
    """A speaking style the voice knows, for example ``friendly``."""
    rate: str | None = None
    """For example ``+10%``."""
    pitch: str | None = None
    """For example ``-2st``."""

    @property
    def is_plain(self) -> bool:
        """Whether plain text says it all, so that no SSML is needed."""
        return self.style is None and self.rate is None and self.pitch is None


def build_ssml(text: str, voice: Voice) -> str:
    """Write *text* as an SSML document for *voice*.

    Args:
        text: Plain text. Markup in it is spoken, not obeyed: everything is escaped, and
            characters that XML cannot hold are dropped.
        voice: Its unset properties leave no trace.
    """
    content = escape(text.translate(_NOT_IN_XML))
    prosody = _attributes(rate=voice.rate, pitch=voice.pitch)
    if prosody:
        content = f"<prosody{prosody}>{content}</prosody>"
    if voice.style is not None:
        content = f"<mstts:express-as{_attributes(style=voice.style)}>{content}</mstts:express-as>"
    namespaces = (
        ' version="1.0" xmlns="http://www.w3.org/2001/10/synthesis"'
        ' xmlns:mstts="https://www.w3.org/2001/mstts"'
    )
    language = f" xml:lang={_quoted(voice.locale)}"
    return (
        f"<speak{namespaces}{language}>"
        f"<voice{_attributes(name=voice.name)}>{content}</voice></speak>"
    )


def _attributes(**values: str | None) -> str:
    return "".join(
        f" {name}={_quoted(value)}" for name, value in values.items() if value is not None
    )


def _quoted(value: str) -> str:
    return quoteattr(value.translate(_NOT_IN_XML))

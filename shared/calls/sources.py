"""What ACS is given to say: a sound file, or a text and a voice."""

from azure.communication.callautomation import FileSource, SsmlSource, TextSource

from shared.speech.voices import Voice, build_ssml


def source_of(
    text: str, voice: Voice, sound_url: str | None
) -> FileSource | TextSource | SsmlSource:
    """The file where there is one; SSML where plain text cannot say how *voice* sounds."""
    if sound_url is not None:
        return FileSource(url=sound_url)
    if voice.is_plain:
        return TextSource(text=text, source_locale=voice.locale, voice_name=voice.name)
    return SsmlSource(ssml_text=build_ssml(text, voice))

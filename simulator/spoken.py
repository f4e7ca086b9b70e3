"""Voices for the people on the simulated phone, from the Speech stand-in."""

import asyncio
import contextlib
import logging
import time

from simulator.acs import TextVoicebox, Utterance
from simulator.speech import EarError, EspeakError, FliteError, SpeechStandIn

logger = logging.getLogger(__name__)

_PAUSE_MS = 300.0


class CaptionedText(TextVoicebox):
    """No sound, but files that the stand-in has synthesized can be read."""

    def __init__(self, speech: SpeechStandIn) -> None:
        self._speech = speech

    def caption(self, pcm: bytes) -> str | None:
        """What the file says."""
        return self._speech.text_of(pcm)


class SpokenVoicebox(CaptionedText):
    """The caller's lines are spoken, and what is recognized from the sound counts."""

    is_audible = True

    def __init__(self, speech: SpeechStandIn) -> None:
        super().__init__(speech)
        self._warming = asyncio.Lock()
        self._is_warm = False

    async def warm(self) -> None:
        """Start the ears before the first word; later calls wait for that and do nothing more."""
        async with self._warming:
            if not self._is_warm:
                with contextlib.suppress(EarError):  # the utterance will meet it, and say so
                    await self._speech.understand(bytes(3200))
                self._is_warm = True

    async def utter(self, text: str) -> Utterance:
        """Speak, then listen; without a voice the words go over as text."""
        try:
            pcm = await self._speech.say(text, pause_ms=_PAUSE_MS)
        except (EspeakError, FliteError):
            logger.warning("the caller's voice failed; the words went over as text")
            return Utterance(text, text)
        await self.warm()
        began_at = time.monotonic()
        try:
            heard = await self._speech.understand(pcm)
        except EarError:
            logger.warning("the recognition failed; nothing was understood")
            return Utterance(text, "", 0.0, pcm)
        recognition_ms = (time.monotonic() - began_at) * 1000
        return Utterance(text, heard.text, heard.confidence, pcm, recognition_ms)

    async def render(self, text: str) -> bytes | None:
        """The agent's voice; None where it fails."""
        try:
            return await self._speech.render(text)
        except EspeakError:
            logger.warning("the agent's voice failed")
            return None

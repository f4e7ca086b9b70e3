"""A process that listens: pocketsphinx behind standard input and output.

It holds the GIL for hundreds of milliseconds, so it never runs beside an event loop. One JSON
line per request, followed by as many bytes of sound as it says; one JSON line per answer.
"""

import json
import random
import sys
import tempfile
from array import array
from collections import OrderedDict
from operator import add
from pathlib import Path
from typing import Any, BinaryIO

from simulator.speech.lexicon import known_words, write_grammar

_KEPT_DECODERS = 4
_FRAMES_PER_S = 100
_GRAMMAR_CONFIDENCE = 0.9
_OPEN_CONFIDENCE = 0.6
_NOT_WORDS = ("<", "[")


class Ear:
    """Decodes one utterance at a time."""

    def __init__(self, noise: int) -> None:
        """Load the dictionary.

        Args:
            noise: Standard deviation of the noise to add. The acoustic model knows no digital
                silence: espeak-ng is understood far better with 100, flite far worse.
        """
        from pocketsphinx import (  # type: ignore[import-untyped]  # noqa: PLC0415 - optional
            get_model_path,
        )

        self._model = Path(get_model_path()) / "en-us"
        self._pronunciations = _read_dictionary(self._model / "cmudict-en-us.dict")
        self._decoders: OrderedDict[tuple[str, ...], Any] = OrderedDict()
        self._written: dict[tuple[str, ...], dict[str, str]] = {}
        self._noise = array("h", (int(random.gauss(0, noise)) for _ in range(16000)))
        self._phrases: tuple[str, ...] = ()
        self._decoder: Any = None

    def begin(self, phrases: tuple[str, ...]) -> dict[str, Any]:
        """Begin an utterance; one that was not finished is forgotten."""
        if self._decoder is not None:
            self._decoder.end_utt()
        if phrases not in self._decoders:
            self._decoders[phrases] = self._build(phrases)
            if len(self._decoders) > _KEPT_DECODERS:
                self._decoders.popitem(last=False)
        self._decoders.move_to_end(phrases)
        self._phrases, self._decoder = phrases, self._decoders[phrases]
        self._decoder.start_utt()
        return {}

    def feed(self, pcm: bytes) -> dict[str, Any]:
        """Take sound; answers with the text so far."""
        self._decoder.process_raw(self._noisy(pcm), False, False)
        hypothesis = self._decoder.hyp()
        return {"text": hypothesis.hypstr if hypothesis else ""}

    def finish(self) -> dict[str, Any]:
        """End the utterance; answers with text, words and confidence."""
        decoder, self._decoder = self._decoder, None
        decoder.end_utt()
        hypothesis = decoder.hyp()
        lexical = hypothesis.hypstr if hypothesis else ""
        words = [
            {
                "text": segment.word.partition("(")[0],
                "offset_s": segment.start_frame / _FRAMES_PER_S,
                "duration_s": (segment.end_frame - segment.start_frame + 1) / _FRAMES_PER_S,
            }
            for segment in (decoder.seg() or ())
            if not segment.word.startswith(_NOT_WORDS)
        ]
        written = self._written.get(self._phrases, {})
        is_open = not self._phrases
        return {
            "text": written.get(lexical, lexical),
            "words": words,
            "confidence": _OPEN_CONFIDENCE if is_open else _GRAMMAR_CONFIDENCE,
        }

    def _noisy(self, pcm: bytes) -> bytes:
        samples, noise = array("h", pcm), self._noise
        start = random.randrange(len(noise))
        while len(noise) < start + len(samples):
            noise = noise + self._noise
        mixed = map(add, samples, noise[start:])
        return array("h", (max(-32768, min(32767, sample)) for sample in mixed)).tobytes()

    def _build(self, phrases: tuple[str, ...]) -> Any:
        from pocketsphinx import Decoder  # noqa: PLC0415 - optional

        acoustic = str(self._model / "en-us")
        sentences: dict[str, str] = {}
        for phrase in phrases:
            words = known_words(phrase, self._pronunciations)
            if words:
                sentences.setdefault(" ".join(words), phrase)
        if not sentences:
            return Decoder(
                hmm=acoustic,
                lm=str(self._model / "en-us.lm.bin"),
                dict=str(self._model / "cmudict-en-us.dict"),
                loglevel="FATAL",
            )
        self._written[phrases] = sentences
        vocabulary = {word for sentence in sentences for word in sentence.split()}
        with tempfile.TemporaryDirectory() as folder:
            dictionary = Path(folder) / "words.dict"
            lines = [line for word in sorted(vocabulary) for line in self._pronunciations[word]]
            dictionary.write_text("".join(lines))
            grammar = Path(folder) / "phrases.gram"
            grammar.write_text(write_grammar(list(sentences)))
            # A dictionary cut to the words takes milliseconds to load instead of half a second.
            return Decoder(
                hmm=acoustic, lm=None, jsgf=str(grammar), dict=str(dictionary), loglevel="FATAL"
            )


def serve(requests: BinaryIO, answers: BinaryIO, *, noise: int) -> None:
    """Answer until the other side closes."""
    ear = Ear(noise)
    _answer(answers, {"ready": True})
    while line := requests.readline():
        request = json.loads(line)
        sound = requests.read(request["bytes"]) if request.get("bytes") else b""
        if request["do"] == "begin":
            _answer(answers, ear.begin(tuple(request["phrases"])))
        elif request["do"] == "feed":
            _answer(answers, ear.feed(sound))
        else:
            _answer(answers, ear.finish())


def _answer(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


def _read_dictionary(path: Path) -> dict[str, list[str]]:
    """Every word with its lines: ``read`` and ``read(2)`` are two pronunciations of one word."""
    lines: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines(keepends=True):
        word = line.split(maxsplit=1)[0].partition("(")[0]
        lines.setdefault(word, []).append(line)
    return lines


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, noise=int(sys.argv[1]))

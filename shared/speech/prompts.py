"""What is said to callers as sound files: made once, kept in Redis, fetched by ACS.

Lines that are known beforehand are made ahead of the calls; what the model says only where this
service speaks everything. Whatever goes wrong here, ACS can say the text itself: then there is no
file, and for a while none is tried.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, field
from typing import Protocol

from shared.clock import Clock
from shared.errors import AppError, InvalidRequestError, NotFoundError
from shared.speech.desk import Utterance
from shared.speech.rendition import Rendition
from shared.speech.sound import SoundFormat
from shared.speech.voices import Voice, build_ssml
from shared.telemetry import names
from shared.telemetry.logs import get_logger
from shared.telemetry.tracing import Attributes, Kind, span

logger = get_logger(__name__)

_FIXED_TTL_S = 86_400.0
_OTHER_TTL_S = 900.0
_FIXED_KNOWN_S = 3600.0
_OTHER_KNOWN_S = 240.0
"""Known for ten minutes less than kept, so that no link outlives its file."""
_MAX_KNOWN = 1000
_REST_S = 5.0
_DISTRUST_S = 60.0


class PromptNotFoundError(NotFoundError):
    """There is no such sound file (any more)."""

    code = "prompt_not_found"


class Desk(Protocol):
    """Speaks; `shared.speech.desk` is one."""

    async def speak(
        self, ssml: str, *, deadline_s: float, session_id: str | None = None
    ) -> Utterance:
        """Speak a document as PCM_16KHZ."""
        ...


class SoundCache(Protocol):
    """Keeps sound files; `shared.speech.sound_cache` is one."""

    async def get(self, prompt_id: str) -> bytes | None:
        """The file, if there is one."""
        ...

    async def put(self, prompt_id: str, wav: bytes, ttl_s: float) -> None:
        """Keep a file."""
        ...

    async def renew(self, prompt_ids: Sequence[str], ttl_s: float) -> list[bool]:
        """Keep those that are there for longer; which of them are."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """A text and who says it."""

    text: str = field(repr=False)
    voice: Voice

    @property
    def prompt_id(self) -> str:
        """The same for the same sound: 40 hexadecimal digits."""
        parts = [SoundFormat.PCM_16KHZ.name, self.text, *astuple(self.voice)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTimes:
    """How long a sound file may take."""

    wait_s: float = 1.5
    """A caller waits for it; then ACS speaks."""
    work_s: float = 5.0
    """Making it, for the next caller."""


class Prompts:
    """Makes, keeps and finds sound files. Belongs to one event loop."""

    def __init__(  # noqa: PLR0913 - all by keyword but the two it works with
        self,
        desk: Desk,
        cache: SoundCache,
        *,
        link: Callable[[str], str],
        fixed: Iterable[Line],
        speaks_all: bool,
        clock: Clock,
        times: PromptTimes | None = None,
    ) -> None:
        """Define what is to be spoken; nothing is yet.

        Args:
            desk: Speaks.
            cache: Keeps the files.
            link: Where ACS finds the file of that name; good for ten minutes.
            fixed: What is said without a model.
            speaks_all: Whether other texts are spoken here, too.
            clock: Tells what has become too old.
            times: How long things may take.
        """
        self._desk = desk
        self._cache = cache
        self._link = link
        self._fixed = {line.prompt_id: line for line in fixed}
        self._speaks_all = speaks_all
        self._monotonic = clock.monotonic
        self._times = times or PromptTimes()
        self._known: dict[str, float] = {}
        self._work: dict[str, asyncio.Task[Rendition | None]] = {}
        self._rests_until = 0.0

    async def render(self, text: str, voice: Voice, *, session_id: str) -> Rendition | None:
        """The file that says *text*; None if ACS shall say it itself.

        A file that is known costs nothing. Otherwise the caller waits for it for at most
        ``times.wait_s``; who waits for the same one waits together. Never raises an `AppError`.
        """
        line = Line(text, voice)
        prompt_id = line.prompt_id
        is_ours = self._speaks_all or prompt_id in self._fixed
        if not is_ours or self._monotonic() < self._rests_until:
            return None
        if self._known.get(prompt_id, 0.0) > self._monotonic():
            return Rendition(self._link(_file(prompt_id)))
        work = self._begin(line, session_id)
        # Not cancelled when the caller gives up: the next one will find the file.
        await asyncio.wait({work}, timeout=self._times.wait_s)
        if not work.done():
            self._rest("prompt is late", _REST_S)
            return None
        return work.result()

    def distrust(self) -> None:
        """A caller heard nothing of us: let ACS speak for a minute."""
        self._rest("prompts are not trusted", _DISTRUST_S)

    async def sound(self, file: str) -> bytes:
        """The WAV file of that name, made again if it is a line that is known beforehand.

        Raises:
            PromptNotFoundError: There is no such file.
            UpstreamError: The session store failed.
        """
        prompt_id = file.removesuffix(".wav")
        wav = await self._cache.get(prompt_id)
        if wav is None and (line := self._fixed.get(prompt_id)) is not None:
            self._known.pop(prompt_id, None)
            await asyncio.wait({self._begin(line)}, timeout=self._times.wait_s)
            wav = await self._cache.get(prompt_id)
        if wav is None:
            raise PromptNotFoundError("there is no such sound file")
        return wav

    async def rehearse(self) -> int:
        """Make what is missing of the fixed lines, one after the other; how many are there now.

        Again costs one round trip. Ends early, without an error, when something fails.
        """
        try:
            found = await self._cache.renew(list(self._fixed), _FIXED_TTL_S)
        except AppError as error:
            logger.warning("prompts not rehearsed", extra={"error": error.code})
            return 0
        present = [one for one, is_there in zip(self._fixed, found, strict=True) if is_there]
        for prompt_id in present:
            self._know(prompt_id)
        missing = [line for one, line in self._fixed.items() if one not in present]
        for made, line in enumerate(missing):
            if await asyncio.shield(self._begin(line)) is None:
                return len(present) + made
        return len(self._fixed)

    def _begin(self, line: Line, session_id: str | None = None) -> "asyncio.Task[Rendition | None]":
        """The task that makes a file: the one that is under way, or a new one."""
        prompt_id = line.prompt_id
        work = self._work.get(prompt_id)
        if work is None:
            work = asyncio.create_task(self._make(line, session_id))
            self._work[prompt_id] = work
            work.add_done_callback(lambda task: self._end(prompt_id, task))
        return work

    def _end(self, prompt_id: str, work: "asyncio.Task[Rendition | None]") -> None:
        del self._work[prompt_id]
        if not work.cancelled():
            work.exception()  # who still waits gets it; if nobody does, it is not lost on anyone

    async def _make(self, line: Line, session_id: str | None) -> Rendition | None:
        prompt_id = line.prompt_id
        is_fixed = prompt_id in self._fixed
        allocation = None
        try:
            if not is_fixed or not all(await self._cache.renew([prompt_id], _FIXED_TTL_S)):
                spoken = await self._speak(line, None if is_fixed else session_id)
                allocation = spoken.allocation
                ttl_s = _FIXED_TTL_S if is_fixed else _OTHER_TTL_S
                await self._cache.put(prompt_id, spoken.sound.to_wav(), ttl_s)
        except InvalidRequestError:
            logger.warning("prompt refused by the speech service")
            return None
        except AppError as error:
            self._rest("prompt not made", _REST_S, error.code)
            return None
        self._know(prompt_id)
        return Rendition(self._link(_file(prompt_id)), allocation)

    async def _speak(self, line: Line, session_id: str | None) -> Utterance:
        facts: Attributes = {
            names.PEER: names.PEER_SPEECH,
            names.CHARACTERS: len(line.text),
            names.VOICE: line.voice.name,
        }
        with span(names.SPAN_PROMPT, facts, kind=Kind.CLIENT) as synthesis:
            ssml = build_ssml(line.text, line.voice)
            spoken = await self._desk.speak(
                ssml, deadline_s=self._times.work_s, session_id=session_id
            )
            synthesis.set(names.POOL_TIER, spoken.allocation.tier.value)
            synthesis.set(names.POOL_WAIT_MS, round(spoken.allocation.wait_ms, 3))
            synthesis.set(names.FIRST_BYTE_MS, spoken.allocation.first_byte_ms)
        return spoken

    def _know(self, prompt_id: str) -> None:
        now = self._monotonic()
        if len(self._known) >= _MAX_KNOWN:
            self._known = {one: until for one, until in self._known.items() if until > now}
        known_s = _FIXED_KNOWN_S if prompt_id in self._fixed else _OTHER_KNOWN_S
        self._known[prompt_id] = now + known_s

    def _rest(self, why: str, seconds: float, error: str = "") -> None:
        """Leave it to ACS for a while; logged when it begins."""
        now = self._monotonic()
        if now >= self._rests_until:
            logger.warning(why, extra={"rest_s": seconds, "error": error})
        self._rests_until = max(self._rests_until, now + seconds)


def _file(prompt_id: str) -> str:
    return f"{prompt_id}.wav"

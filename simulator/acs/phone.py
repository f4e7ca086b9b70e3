"""The phone: one call as the person at the other end experiences it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from uuid import uuid4

from simulator.acs.script import (
    HangUp,
    Mumble,
    Press,
    Responder,
    Say,
    ScriptedResponder,
    Stay,
    Step,
)
from simulator.acs.tape import Tape
from simulator.acs.transcript import (
    Connected,
    Ended,
    EndReason,
    Entry,
    Heard,
    Mumbled,
    Pressed,
    Recognized,
    Said,
    SilentFor,
    Transferred,
)
from simulator.acs.voicebox import Utterance


class PhoneCall:
    """A call in progress; read the transcript, follow it, wait for its end, or hang up."""

    def __init__(self, *, caller: str, callee: str, script: Sequence[Step] | Responder) -> None:
        self.id = str(uuid4())
        self.caller = caller
        self.callee = callee
        self.call_connection_id: str | None = None
        self.transcript: list[Entry] = []
        self.silences_ms: list[float] = []
        self.tape = Tape()
        self.on_hang_up: Callable[[], None] | None = None
        self.is_scripted = bool(getattr(script, "is_scripted", not callable(script)))
        self._responder = script if callable(script) else ScriptedResponder(script)
        self._reaction: asyncio.Task[Step] | None = None
        self._heard_since_step = 0
        self._recognized_at: float | None = None
        self._began_at = time.monotonic()
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._read = 0

    # --- for whoever watches the call ---------------------------------------------------------

    @property
    def said(self) -> list[Said]:
        """What the caller said, in order."""
        return [entry for entry in self.transcript if isinstance(entry, Said)]

    @property
    def heard(self) -> list[Heard]:
        """What the caller heard, in order."""
        return [entry for entry in self.transcript if isinstance(entry, Heard)]

    @property
    def is_over(self) -> bool:
        """Whether the line is dead."""
        return self._over.is_set()

    async def ended(self, timeout_s: float) -> Ended:
        """Wait for the end of the call, at most *timeout_s* real seconds.

        Raises:
            TimeoutError: The call goes on.
        """
        async with asyncio.timeout(timeout_s):
            await self._over.wait()
        last = self.transcript[-1]
        assert isinstance(last, Ended)
        return last

    async def next_entry(self) -> Entry | None:
        """The next entry nobody has asked for yet; waits for it. None after the last one."""
        entry = await self._entry(self._read)
        self._read += entry is not None
        return entry

    async def __aiter__(self) -> AsyncIterator[Entry]:
        """All entries from the first to the last, as they happen."""
        index = 0
        while (entry := await self._entry(index)) is not None:
            yield entry
            index += 1

    def hang_up(self) -> None:
        """Put the phone down; the second time nothing happens."""
        if not self.is_over and self.on_hang_up is not None:
            self.on_hang_up()

    # --- for the switchboard ------------------------------------------------------------------

    def connected(self) -> None:
        """The call was answered."""
        self._add(Connected(self._now_s()))

    def transferred(self, to: str, outcome: str) -> None:
        """Someone else was called, with *outcome*."""
        self._add(Transferred(to, outcome, self._now_s()))

    def over(self, reason: EndReason) -> None:
        """The line goes dead; only the first reason counts."""
        if self.is_over:
            return
        self._over.set()
        if self._reaction is not None:
            self._reaction.cancel()
        self._add(Ended(reason, self._now_s()))

    def hear(self, text: str, operation_context: str | None) -> int:
        """A prompt begins; returns the index of its entry for `cut`."""
        if self._recognized_at is not None:
            self.silences_ms.append((time.monotonic() - self._recognized_at) * 1000)
            self._recognized_at = None
        self._add(Heard(text, self._now_s(), operation_context))
        return len(self.transcript) - 1

    def cut(self, index: int) -> None:
        """The prompt at *index* did not reach its end."""
        entry = self.transcript[index]
        assert isinstance(entry, Heard)
        self.transcript[index] = replace(entry, interrupted=True)

    def reaction(self) -> asyncio.Task[Step]:
        """What the caller does next. Stays the same until `act` has carried it out."""
        if self._reaction is None:
            heard = [e for e in self.transcript[self._heard_since_step :] if isinstance(e, Heard)]
            self._heard_since_step = len(self.transcript)
            self._reaction = asyncio.create_task(_decide(self._responder, heard))
        return self._reaction

    def act(self, step: Step) -> None:
        """Carry out *step*, the result of the pending reaction."""
        self._reaction = None
        match step:
            case Say():
                self._add(Said(step.text, self._now_s()))
            case Press():
                self._add(Pressed(step.tones, self._now_s()))
            case Mumble():
                self._add(Mumbled(self._now_s()))
            case HangUp():
                self.hang_up()
            case Stay():
                pass

    def understood(self, utterance: Utterance) -> None:
        """The service has listened to the caller."""
        self._add(
            Recognized(
                utterance.recognized, utterance.confidence, utterance.recognition_ms, self._now_s()
            )
        )

    def silent_for(self, seconds: float) -> None:
        """The app gave up waiting after *seconds*, unscaled."""
        self._add(SilentFor(seconds, self._now_s()))

    def recognized(self) -> None:
        """The app is being told what the caller said: the caller's silence begins."""
        self._recognized_at = time.monotonic()

    def _now_s(self) -> float:
        return time.monotonic() - self._began_at

    def _add(self, entry: Entry) -> None:
        self.transcript.append(entry)
        self._changed.set()
        self._changed = asyncio.Event()

    async def _entry(self, index: int) -> Entry | None:
        while index >= len(self.transcript):
            if self.is_over:
                return None
            await self._changed.wait()
        return self.transcript[index]


async def _decide(responder: Responder, heard: Sequence[Heard]) -> Step:
    return await responder(heard)

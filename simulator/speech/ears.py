"""The processes that listen: started when needed, one utterance each at a time."""

import asyncio
import contextlib
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulator.speech.hearing import Heard, HeardWord

_ROOT = Path(__file__).resolve().parents[2]
_START_S = 20.0
_ANSWER_S = 30.0
_MAX_LINE_BYTES = 1024 * 1024


class EarError(Exception):
    """A process that listens has died or fallen silent."""


def is_available() -> bool:
    """Whether pocketsphinx is installed."""
    return importlib.util.find_spec("pocketsphinx") is not None


class Ears:
    """Up to *count* processes; more utterances at once wait."""

    def __init__(self, *, count: int = 2, noise: int = 100) -> None:
        self._noise = noise
        self._slots = asyncio.Semaphore(count)
        self._idle: list[_Process] = []
        self._all: set[_Process] = set()

    async def begin(self, phrases: Sequence[str]) -> "HeardByProcess":
        """Listen to an utterance; with phrases only these can be understood.

        Raises:
            EarError: No process could be started.
        """
        await self._slots.acquire()
        try:
            process = self._idle.pop() if self._idle else await self._start()
            utterance = HeardByProcess(self, process)
            await process.ask({"do": "begin", "phrases": list(phrases)})
        except BaseException:
            self._slots.release()
            raise
        return utterance

    async def warm(self) -> None:
        """Have one process ready."""
        if not self._idle:
            self._idle.append(await self._start())

    def give_back(self, process: "_Process") -> None:
        """An utterance is over; a process that failed is not used again."""
        self._slots.release()
        if process.is_well:
            self._idle.append(process)
        else:
            process.kill()

    async def aclose(self) -> None:
        """End all processes."""
        self._idle.clear()
        processes, self._all = list(self._all), set()
        await asyncio.gather(*(process.aclose() for process in processes))

    async def _start(self) -> "_Process":
        process = _Process(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "simulator.speech.ear",
                str(self._noise),
                cwd=_ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=_MAX_LINE_BYTES,
            )
        )
        self._all.add(process)
        await process.read(_START_S)
        return process


class HeardByProcess:
    """One utterance in one process."""

    def __init__(self, ears: Ears, process: "_Process") -> None:
        self._ears = ears
        self._process: _Process | None = process

    async def feed(self, pcm: bytes) -> str:
        """Take sound; gives the text so far.

        Raises:
            EarError: The process has died.
        """
        return str((await self._ask({"do": "feed", "bytes": len(pcm)}, pcm))["text"])

    async def finish(self) -> Heard:
        """What it was.

        Raises:
            EarError: The process has died.
        """
        answer = await self._ask({"do": "finish"})
        await self.abandon()
        if not answer["text"]:
            return Heard("", "NoMatch")
        words = tuple(HeardWord(**word) for word in answer["words"])
        return Heard(answer["text"], confidence=answer["confidence"], words=words)

    async def abandon(self) -> None:
        """Let others use the process; again does nothing."""
        process, self._process = self._process, None
        if process is not None:
            self._ears.give_back(process)

    async def _ask(self, request: dict[str, Any], sound: bytes = b"") -> dict[str, Any]:
        if self._process is None:
            raise EarError("the utterance is over")
        return await self._process.ask(request, sound)


class _Process:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._owed = 0

    @property
    def is_well(self) -> bool:
        """Whether it lives and owes no answer."""
        return self._process.returncode is None and self._owed == 0

    async def ask(self, request: dict[str, Any], sound: bytes = b"") -> dict[str, Any]:
        stdin = self._process.stdin
        if stdin is None or not self.is_well:
            raise EarError("a process that listens is not well")
        self._owed += 1
        stdin.write(json.dumps(request).encode() + b"\n" + sound)
        answer = await self.read(_ANSWER_S)
        self._owed -= 1
        return answer

    async def read(self, timeout_s: float) -> dict[str, Any]:
        if self._process.stdout is None:
            raise EarError("a process that listens has no output")
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._process.stdout.readline()
        except TimeoutError as err:
            raise EarError("a process that listens has fallen silent") from err
        if not line:
            raise EarError("a process that listens has died")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def aclose(self) -> None:
        self.kill()
        await self._process.wait()
        # Without this the transport lives until the garbage collector finds it.
        self._process._transport.close()  # type: ignore[attr-defined]

"""The phones and mailboxes of the people: what the app has sent them, and the codes in it."""

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.acs.script import Say, ScriptedResponder, Step
from simulator.acs.transcript import Heard

CODE_MARK = "{{ code }}"
"""In a line of a scripted caller: the code in the newest message."""

_CODE = re.compile(r"\b\d{6}\b")


@dataclass(frozen=True, slots=True)
class Message:
    """One message that was delivered."""

    channel: str
    """``sms`` or ``email``."""
    to: str
    sender: str
    subject: str
    text: str

    @property
    def code(self) -> str | None:
        """The first six digits that stand alone in it."""
        found = _CODE.search(self.text)
        return found[0] if found else None


class Inbox:
    """Every message, oldest first; ``refused`` names addresses that nothing can be sent to.

    ``faults`` are statuses that the next requests are answered with, nothing being delivered.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.refused: set[str] = set()
        self.faults: deque[int] = deque()
        self._came = asyncio.Event()

    def deliver(self, message: Message) -> None:
        """A message arrives."""
        self.messages.append(message)
        self._came.set()
        self._came = asyncio.Event()

    async def message(self, index: int, timeout_s: float) -> Message:
        """The newest message once there are more than *index*.

        Raises:
            TimeoutError: None came in time.
        """
        async with asyncio.timeout(timeout_s):
            while len(self.messages) <= index:
                await self._came.wait()
        return self.messages[-1]


class ReadingResponder:
    """A scripted caller who reads codes out: `CODE_MARK` in a line stands for the newest one.

    Each code is read once: the next mark waits for the next message.
    """

    is_scripted = True

    def __init__(self, steps: Sequence[Step], inbox: Inbox, *, timeout_s: float = 15.0) -> None:
        self._steps = ScriptedResponder(steps)
        self._inbox = inbox
        self._read = len(inbox.messages)
        self._timeout_s = timeout_s

    async def __call__(self, heard: Sequence[Heard]) -> Step:
        """The next step; one with a code waits for the message.

        Raises:
            TimeoutError: No message came.
        """
        step = await self._steps(heard)
        if not isinstance(step, Say) or CODE_MARK not in step.text:
            return step
        message = await self._inbox.message(self._read, self._timeout_s)
        self._read = len(self._inbox.messages)
        return Say(step.text.replace(CODE_MARK, message.code or "nothing"), step.interrupts)

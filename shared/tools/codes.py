"""Codes that prove that somebody has a phone or reads a mailbox."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.errors import SettingsError
from shared.types import SessionId

CODE_PATTERN = "^[0-9]{6}$"
"""Of JSON Schema; what `Codes.new` makes."""

_LABEL = b"one-time-code\x00"
"""Keeps a digest of ours from being valid for anything else made with the same key."""


class Codes:
    """Makes codes, and what is stored instead of them.

    A code has a million values, so a bare hash of it could be undone in a second. A digest is
    keyed, and made over what the code is for: in another session, or for another card, it is wrong.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Make digests with the first of *keys*, and accept those of all.

        Raises:
            SettingsError: There is no key.
        """
        if not keys:
            raise SettingsError("a key for one-time codes is missing")
        self._keys = tuple(keys)

    def new(self) -> str:
        """Six digits that nobody can foresee."""
        return f"{secrets.randbelow(1_000_000):06d}"

    def digest(self, code: str, *purpose: str) -> str:
        """What to store of *code*; *purpose* names what it is good for."""
        return self._digest(self._keys[0], code, purpose)

    def digests(self, code: str, *purpose: str) -> tuple[str, ...]:
        """Every digest that *code* may be stored as."""
        return tuple(self._digest(key, code, purpose) for key in self._keys)

    def is_match(self, digest: str, code: str, *purpose: str) -> bool:
        """Whether *digest* was made of *code*, in a time that tells nothing."""
        matches = [
            hmac.compare_digest(digest.encode(), each.encode())
            for each in self.digests(code, *purpose)
        ]
        return any(matches)

    @staticmethod
    def _digest(key: bytes, code: str, purpose: Sequence[str]) -> str:
        text = json.dumps([*purpose, code]).encode()
        return hmac.new(key, _LABEL + text, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a try."""

    state: str
    """``right``, ``wrong``, ``exhausted`` or ``none``: there is no code, or it was used."""
    tries_left: int = 0


class CodeAttempt(Protocol):
    """What became of a try; `Attempt` is one."""

    @property
    def state(self) -> str:
        """As `Attempt.state`."""
        ...

    @property
    def tries_left(self) -> int:
        """As `Attempt.tries_left`."""
        ...


class CodeStore(Protocol):
    """Keeps the digests of codes that were sent in a session; every method is atomic.

    Every method raises UpstreamError when the store cannot be reached.
    """

    async def put(
        self, session_id: SessionId, name: str, digest: str, *, tries: int, ttl_s: int
    ) -> None:
        """Expect a code; one that was expected under *name* before is forgotten."""
        ...

    async def attempt(
        self, session_id: SessionId, name: str, digests: Sequence[str], *, by: str
    ) -> CodeAttempt:
        """Try a code. A right one is used up, but stays right for the same *by*."""
        ...

    async def drop(self, session_id: SessionId, name: str) -> None:
        """Expect no code any more."""
        ...


class TryLimits(Protocol):
    """Counts tries, over all instances; raises UpstreamError when it cannot."""

    async def take(self, scope: str, *, limit: int, ttl_s: int) -> bool:
        """Count one try; False if *limit* were counted since the first, *ttl_s* ago at most."""
        ...

    async def give_back(self, scope: str) -> None:
        """Uncount one try."""
        ...


class CodeDelivery(Protocol):
    """Sends messages to customers.

    Raises:
        ToolFailedError: It cannot be sent from here, or not to there; nothing went out.
        UpstreamError: The service failed; it may have gone out.
    """

    @property
    def methods(self) -> frozenset[str]:
        """What there is of ``sms`` and ``email``."""
        ...

    async def send_sms(self, to: str, text: str) -> None:
        """Send a text message to a phone number."""
        ...

    async def send_email(self, to: str, subject: str, text: str) -> None:
        """Send a plain e-mail."""
        ...

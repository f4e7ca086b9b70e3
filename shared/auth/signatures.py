"""Signed URLs: they prove that we gave them out.

The token ACS sends with a callback proves "ACS, for our resource". The signature adds "for this
session": it is known only to ACS, which repeats the URL as it was given. A sound file is fetched
without any token: there the signature is all the proof, and it ends.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from urllib.parse import quote

from shared.clock import Clock
from shared.errors import SettingsError, UnauthorizedError
from shared.types import SessionId

_CALLBACK = b"acs-callback\x00"
_FILE = b"sound-file\x00"
"""Keep a signature of ours from being valid for anything else signed with the same key."""

_MIN_KEY_BYTES = 16


class CallbackSigner:
    """Signs session ids with its first key and accepts signatures of any of its keys.

    To replace a key without losing calls, put the new one first and drop the old one a day later.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Sign with *keys*, newest first.

        Raises:
            SettingsError: There is no key, or one is shorter than 16 bytes.
        """
        self._keys = _checked(keys)

    def sign(self, session_id: SessionId) -> str:
        """The signature of *session_id*: 43 URL-safe characters, the same every time."""
        return _signature(self._keys[0], _CALLBACK, session_id)

    def verify(self, session_id: SessionId, signature: str | None) -> None:
        """Check *signature*, in a time that does not depend on how wrong it is.

        Raises:
            UnauthorizedError: It is missing, or none of our keys made it for this session.
        """
        if not _is_ours(self._keys, _CALLBACK, session_id, signature):
            raise UnauthorizedError("the callback signature is missing or wrong")

    def callback_url(self, base_url: str, session_id: SessionId) -> str:
        """Where ACS reports on the calls of *session_id*; the same URL every time.

        Args:
            base_url: Scheme and host of the app, with or without a trailing slash.
            session_id: Quoted as one path segment, whatever it contains.
        """
        path = f"/api/callbacks/{quote(session_id, safe='')}"
        return f"{base_url.rstrip('/')}{path}?sig={self.sign(session_id)}"


class FileSigner:
    """Signs links to sound files; they end by themselves."""

    def __init__(self, keys: Sequence[bytes], *, clock: Clock, valid_s: float = 600.0) -> None:
        """Sign with *keys*, newest first, for *valid_s*; raises as `CallbackSigner`.

        Behind others in the queue of a call, a file may be fetched minutes after it was given out.
        """
        self._keys = _checked(keys)
        self._valid_s = valid_s
        self._clock = clock

    def file_url(self, base_url: str, file: str) -> str:
        """Where ACS fetches *file*, from now on for ``valid_s``.

        Args:
            base_url: Scheme and host of the app, with or without a trailing slash.
            file: Quoted as one path segment, whatever it contains.
        """
        ends_at = str(int(self._clock.now().timestamp() + self._valid_s))
        signature = _signature(self._keys[0], _FILE, _dated(file, ends_at))
        path = f"/api/speech/prompts/{quote(file, safe='')}"
        return f"{base_url.rstrip('/')}{path}?exp={ends_at}&sig={signature}"

    def verify(self, file: str, ends_at: str | None, signature: str | None) -> None:
        """Check that we made the link to *file* and that it has not ended.

        Raises:
            UnauthorizedError: It has, or the signature is missing or wrong.
        """
        # The signature first: what it covers was written by us, so that it can be read.
        is_ours = _is_ours(self._keys, _FILE, _dated(file, ends_at or ""), signature)
        if not is_ours or int(ends_at or "0") <= self._clock.now().timestamp():
            raise UnauthorizedError("the link has ended, or its signature is missing or wrong")


def _dated(file: str, ends_at: str) -> str:
    return f"{ends_at}\x00{file}"


def _checked(keys: Sequence[bytes]) -> tuple[bytes, ...]:
    if not keys or any(len(key) < _MIN_KEY_BYTES for key in keys):
        raise SettingsError("signing URLs needs keys of at least 16 bytes")
    return tuple(keys)


def _is_ours(keys: Sequence[bytes], purpose: bytes, text: str, signature: str | None) -> bool:
    given = (signature or "").encode("utf-8", "surrogatepass")
    # All keys are tried: the time it takes must not tell which one fits.
    matches = [hmac.compare_digest(_signature(key, purpose, text).encode(), given) for key in keys]
    return any(matches)


def _signature(key: bytes, purpose: bytes, text: str) -> str:
    message = purpose + text.encode("utf-8", "surrogatepass")
    return urlsafe_b64encode(hmac.digest(key, message, hashlib.sha256)).rstrip(b"=").decode()

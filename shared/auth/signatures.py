"""Signed callback URLs: they prove that a callback is about the session it names.

The token ACS sends proves "ACS, for our resource". The signature adds "for this session": it is
known only to ACS, which repeats the URL as it was given.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from urllib.parse import quote

from shared.errors import SettingsError, UnauthorizedError
from shared.types import SessionId

_PURPOSE = b"acs-callback\x00"
"""Keeps a signature of ours from being valid for anything else signed with the same key."""

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
        if not keys or any(len(key) < _MIN_KEY_BYTES for key in keys):
            raise SettingsError("callback signing needs keys of at least 16 bytes")
        self._keys = tuple(keys)

    def sign(self, session_id: SessionId) -> str:
        """The signature of *session_id*: 43 URL-safe characters, the same every time."""
        return _signature(self._keys[0], session_id)

    def verify(self, session_id: SessionId, signature: str | None) -> None:
        """Check *signature*, in a time that does not depend on how wrong it is.

        Raises:
            UnauthorizedError: It is missing, or none of our keys made it for this session.
        """
        given = (signature or "").encode("utf-8", "surrogatepass")
        matches = [
            hmac.compare_digest(_signature(key, session_id).encode(), given) for key in self._keys
        ]
        if not any(matches):
            raise UnauthorizedError("the callback signature is missing or wrong")

    def callback_url(self, base_url: str, session_id: SessionId) -> str:
        """Where ACS reports on the calls of *session_id*; the same URL every time.

        Args:
            base_url: Scheme and host of the app, with or without a trailing slash.
            session_id: Quoted as one path segment, whatever it contains.
        """
        path = f"/api/callbacks/{quote(session_id, safe='')}"
        return f"{base_url.rstrip('/')}{path}?sig={self.sign(session_id)}"


def _signature(key: bytes, session_id: SessionId) -> str:
    message = _PURPOSE + session_id.encode("utf-8", "surrogatepass")
    return urlsafe_b64encode(hmac.digest(key, message, hashlib.sha256)).rstrip(b"=").decode()

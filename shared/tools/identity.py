"""The last four digits as the bank keeps them: a salted, slow hash, never the digits."""

import asyncio
import hashlib
import hmac
import secrets

_SCHEME = "pbkdf2-sha256"
_ITERATIONS = 50_000
_MAX_ITERATIONS = 1_000_000

_NOBODY = f"{_SCHEME}${_ITERATIONS}${'00' * 16}${'00' * 32}"
"""What is compared where there is nobody: an unknown name takes as long as wrong digits."""


def protect(digits: str) -> str:
    """What to store instead of *digits*: scheme, iterations, salt and hash, joined by ``$``."""
    salt = secrets.token_bytes(16)
    return f"{_SCHEME}${_ITERATIONS}${salt.hex()}${_hash(digits, salt, _ITERATIONS).hex()}"


async def is_match(protected: str | None, digits: str) -> bool:
    """Whether *digits* are those that *protected* was made of; in a thread, for it is slow.

    Args:
        protected: What `protect` returned; None or anything else matches nothing, as slowly.
        digits: What the caller said.
    """
    return await asyncio.to_thread(_is_match, protected or _NOBODY, digits)


def _is_match(protected: str, digits: str) -> bool:
    known = _parse(protected)
    iterations, salt, wanted = known or _parse(_NOBODY) or (_ITERATIONS, b"", b"")
    is_equal = hmac.compare_digest(_hash(digits, salt, iterations), wanted)
    return is_equal and known is not None


def _parse(protected: str) -> tuple[int, bytes, bytes] | None:
    scheme, _, rest = protected.partition("$")
    parts = rest.split("$")
    if scheme != _SCHEME or len(parts) != 3:
        return None
    try:
        iterations = int(parts[0])
        salt, wanted = bytes.fromhex(parts[1]), bytes.fromhex(parts[2])
    except ValueError:
        return None
    return (iterations, salt, wanted) if 0 < iterations <= _MAX_ITERATIONS else None


def _hash(digits: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", digits.encode(), salt, iterations)

"""Keys and tokens: who proves to the app that a callback comes from the service."""

import asyncio
import base64
import time
from dataclasses import dataclass
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.acs.chaos import Chaos
from simulator.acs.errors import Json

ISSUER = "https://acscallautomation.communication.azure.com"
_LIFETIME_S = 300


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str
    private: rsa.RSAPrivateKey

    @classmethod
    def make(cls) -> "_Key":
        return cls(uuid4().hex, rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def public(self) -> Json:
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": _base64url(numbers.n),
            "e": _base64url(numbers.e),
        }


class TokenIssuer:
    """Signs callbacks with the key of the current generation and publishes all keys so far."""

    def __init__(self, *, audience: str, chaos: Chaos) -> None:
        self._audience = audience
        self._chaos = chaos
        self._keys: list[_Key] = []
        self._stranger: _Key | None = None
        self._making = asyncio.Lock()

    async def jwks(self) -> Json:
        """The public keys, newest first."""
        await self._current()
        return {"keys": [key.public() for key in reversed(self._keys)]}

    async def token(self) -> str:
        """A fresh token for one delivery; forged or expired while the chaos says so."""
        key = await self._current()
        private = key.private
        issued_at = int(time.time() + self._chaos.clock_skew_s)
        if self._chaos.take_forged_token():
            private = await self._forger()
        elif self._chaos.take_expired_token():
            issued_at -= 2 * _LIFETIME_S
        claims = {
            "iss": ISSUER,
            "aud": self._audience,
            "iat": issued_at,
            "nbf": issued_at,
            "exp": issued_at + _LIFETIME_S,
        }
        return jwt.encode(claims, private, algorithm="RS256", headers={"kid": key.kid})

    async def _current(self) -> _Key:
        async with self._making:
            while len(self._keys) <= self._chaos.key_generation:
                self._keys.append(await asyncio.to_thread(_Key.make))
        return self._keys[-1]

    async def _forger(self) -> rsa.RSAPrivateKey:
        async with self._making:
            if self._stranger is None:
                self._stranger = await asyncio.to_thread(_Key.make)
        return self._stranger.private


def _base64url(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

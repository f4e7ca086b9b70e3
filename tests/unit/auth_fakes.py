"""A moved clock, an issuer with keys of its own, and what else the tests of auth share."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from shared.auth.websocket import ACS_ISSUER
from shared.errors import UpstreamError
from shared.types import Json

AUDIENCE = "8d9f0c11-0000-4000-8000-000000000001"


class MovedClock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 22, 7, 32, tzinfo=UTC)
        self._monotonic_s = 1000.0

    def now(self) -> datetime:
        """The instant it was moved to."""
        return self._now

    def monotonic(self) -> float:
        """The reading it was moved to."""
        return self._monotonic_s

    async def sleep(self, seconds: float) -> None:
        """Move by *seconds*."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self._now += timedelta(seconds=seconds)
        self._monotonic_s += seconds


@cache
def private_key(name: str) -> RSAPrivateKey:
    """The key called *name*; made once, because that takes a while."""
    del name
    return generate_private_key(public_exponent=65537, key_size=2048)


def jwk(key_id: str, **changes: object) -> Json:
    """The public half of the key called *key_id*, as issuers publish it."""
    document: Json = json.loads(RSAAlgorithm.to_jwk(private_key(key_id).public_key()))
    return {**document, "kid": key_id, "use": "sig", "alg": "RS256", **changes}


def token(
    key_id: str = "k1",
    *,
    lifetime_s: float = 300,
    without: str = "",
    headers: Mapping[str, object] | None = None,
    **claims: object,
) -> str:
    """A token like those of ACS, changed."""
    now_s = datetime.now(UTC).timestamp()
    payload: Json = {
        "iss": ACS_ISSUER,
        "aud": AUDIENCE,
        "exp": int(now_s + lifetime_s),
        **claims,
    }
    payload.pop(without, None)
    return jwt.encode(
        payload, private_key(key_id), algorithm="RS256", headers={"kid": key_id, **(headers or {})}
    )


class FakeIssuer:
    """Publishes keys, counts who asks, and can be down or slow."""

    def __init__(self, *key_ids: str) -> None:
        self.key_ids = key_ids
        self.document: Json | None = None
        self.is_down = False
        self.fetches = 0
        self.urls: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_asked = asyncio.Event()

    async def fetch(self, url: str) -> Json:
        """The key document, as `fetch_json` would read it."""
        self.fetches += 1
        self.urls.append(url)
        self.is_asked.set()
        await self.may_answer.wait()
        if self.is_down:
            raise UpstreamError("the document could not be fetched")
        if self.document is not None:
            return self.document
        return {"keys": [jwk(key_id) for key_id in self.key_ids]}

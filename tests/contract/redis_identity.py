"""Fake credentials, a moved clock and a certificate for logging in to a real Redis."""

import asyncio
import base64
import datetime
import itertools
import json
import threading
from dataclasses import dataclass
from pathlib import Path

from azure.core.exceptions import ClientAuthenticationError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

OID = "0a0a0a0a-1111-2222-3333-444444444444"


def jwt(number: int, claims: dict[str, object]) -> str:
    """An unsigned token; Redis is told to believe it."""
    payload = base64.urlsafe_b64encode(json.dumps(claims | {"n": number}).encode()).decode()
    return f"e30.{payload.rstrip('=')}.sig"


class FakeClock:
    """A clock that a test moves; whoever sleeps is woken when its time has come."""

    def __init__(self) -> None:
        self.time_s = 1_000_000.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []
        self.slept = asyncio.Event()

    def now(self) -> datetime.datetime:
        """The moved time."""
        return datetime.datetime.fromtimestamp(self.time_s, datetime.UTC)

    def monotonic(self) -> float:
        """The moved time."""
        return self.time_s

    async def sleep(self, seconds: float) -> None:
        """Wait until the test has moved the clock far enough."""
        woken = asyncio.Event()
        self._sleepers.append((self.time_s + seconds, woken))
        self.slept.set()
        await woken.wait()

    def move(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self.time_s += seconds
        self.slept.clear()
        for at, woken in self._sleepers:
            if at <= self.time_s:
                woken.set()
        self._sleepers = [(at, woken) for at, woken in self._sleepers if at > self.time_s]


@dataclass
class FakeToken:
    """What azure.core returns."""

    token: str
    expires_on: int


class FakeCredential:
    """Gives tokens of 1000 seconds by a fake clock, asynchronously."""

    def __init__(self, clock: FakeClock, claims: dict[str, object] | None = None) -> None:
        self.clock = clock
        self.claims: dict[str, object] = {"oid": OID} if claims is None else claims
        self.scopes: list[str] = []
        self.is_down = False
        self._numbers = itertools.count()

    async def get_token(self, *scopes: str) -> FakeToken:
        """The next token."""
        self.scopes += scopes
        if self.is_down:
            raise ClientAuthenticationError("no secrets here")
        return FakeToken(jwt(next(self._numbers), self.claims), int(self.clock.time_s) + 1000)


class FakeSyncCredential:
    """Gives a token when the test lets it, blocking its thread until then."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.may_answer = threading.Event()
        self.asked = threading.Event()

    def get_token(self, *scopes: str) -> FakeToken:
        """Block, then answer."""
        self.asked.set()
        assert self.may_answer.wait(10)
        return FakeToken(jwt(0, {"oid": OID}), int(self.clock.time_s) + 1000)


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "cert.pem", folder / "key.pem"

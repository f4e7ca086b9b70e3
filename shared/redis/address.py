"""Where Redis is, and how a connection to it is made."""

from dataclasses import dataclass, field
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.client import Redis as BlockingRedis
from redis.credentials import CredentialProvider
from redis.retry import Retry as BlockingRetry

from shared.errors import SettingsError

_CACHE_SUFFIX = ".redis.cache.windows.net"
_CACHE_PORT = 6380
_MANAGED_PORT = 10000


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One database of one server. RESP2 is spoken: every server of the last decade does."""

    host: str
    port: int
    db: int = 0
    is_encrypted: bool = True
    ca_file: str | None = None
    user_name: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def of_host(cls, host: str, port: int | None = None) -> "Address":
        """Read ``name`` or ``name:port``.

        Without a port it is 6380 for Azure Cache for Redis and 10000 for Azure Managed Redis.

        Raises:
            SettingsError: What follows the colon is no number.
        """
        name, _, tail = host.partition(":")
        if tail and port is None:
            if not tail.isdecimal():
                raise SettingsError("the Redis port is not a number")
            port = int(tail)
        if port is None:
            port = _CACHE_PORT if name.endswith(_CACHE_SUFFIX) else _MANAGED_PORT
        return cls(host=name, port=port)

    @classmethod
    def of_url(cls, url: str) -> "Address":
        """Read ``redis://[user:password@]host[:port][/db]``; ``rediss`` is encrypted.

        Raises:
            SettingsError: It is not such a URL.
        """
        try:
            parts = parse_url(url)
        except ValueError:
            raise SettingsError("the Redis URL is malformed") from None
        return cls(
            host=str(parts.get("host", "localhost")),
            port=int(parts.get("port", 6379)),
            db=int(parts.get("db", 0)),
            is_encrypted=parts.get("connection_class") is SSLConnection,
            user_name=parts.get("username"),
            password=parts.get("password"),
        )

    def connection(
        self, logins: CredentialProvider | None, *, connect_timeout_s: float
    ) -> AbstractConnection:
        """A connection that is not connected yet and never retries by itself."""
        options = self._options(logins, connect_timeout_s) | {
            # Deadlines are the caller's: calls that came at different times share the connection.
            "socket_timeout": None,
            "retry": Retry(NoBackoff(), 0),
        }
        if self.is_encrypted:
            return SSLConnection(ssl_ca_certs=self.ca_file, **options)
        return Connection(**options)

    def blocking_client(
        self, logins: CredentialProvider | None, *, connect_timeout_s: float, op_timeout_s: float
    ) -> BlockingRedis:
        """A blocking client of a few connections; only for what may be repeated."""
        return BlockingRedis(
            ssl=self.is_encrypted,
            ssl_ca_certs=self.ca_file,
            socket_timeout=op_timeout_s,
            retry=BlockingRetry(NoBackoff(), 1),
            max_connections=4,
            **self._options(logins, connect_timeout_s),
        )

    def _options(
        self, logins: CredentialProvider | None, connect_timeout_s: float
    ) -> dict[str, Any]:
        return {
            "host": self.host,
            "port": self.port,
            "db": self.db,
            "username": None if logins else self.user_name,
            "password": None if logins else self.password,
            "credential_provider": logins,
            "protocol": 2,
            "decode_responses": True,
            # A damaged byte becomes text that is no JSON, so damage is found where it is.
            "encoding_errors": "backslashreplace",
            "socket_connect_timeout": connect_timeout_s,
            "maint_notifications_config": None,
        }

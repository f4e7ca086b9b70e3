"""The session store's Redis: every call has a deadline, says why it failed, and is counted.

Calls share one or two connections (`lane.py`). On a cluster only the Enterprise (single endpoint)
policy of Azure Managed Redis is served: redirections between nodes are not followed.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, cast

from redis.client import Redis as BlockingRedis
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.clock import Clock, SystemClock
from shared.errors import InvalidRequestError, UpstreamError, UpstreamTimeoutError
from shared.redis.address import Address
from shared.redis.entra import SCOPE, Credential, EntraLogins
from shared.redis.lane import LaneLostError, Reply
from shared.redis.lanes import Lanes
from shared.redis.round_trips import RoundTripTotal, count_round_trips, round_trip_span
from shared.redis.script import Argument, Command, Script, ScriptCall

__all__ = ["AzureRedisManager", "count_round_trips"]

_PAUSE_S = (0.01, 0.05)


class AzureRedisManager:
    """Redis with a key, with Microsoft Entra (``credential``), or at a ``url``.

    The constructor does no I/O. Connections are made on first use, on the running loop, and the
    manager stays with that loop. A call takes at most ``connect_timeout_s`` to get a connection
    and ``op_timeout_s`` to be answered; what may be repeated is, once, when a connection breaks.

    Every call may raise ``UpstreamTimeoutError`` (no answer in time; a write may have happened)
    and ``UpstreamError`` (unreachable, refused, or broken off).
    """

    def __init__(  # noqa: PLR0913 - the specification's sample fixes the first five
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        credential: Credential | None = None,
        access_key: str | None = None,
        user_name: str | None = None,
        url: str | None = None,
        db: int = 0,
        ssl: bool = True,
        ca_file: str | None = None,
        scope: str = SCOPE,
        op_timeout_s: float = 1.0,
        connect_timeout_s: float = 3.0,
        max_connections: int = 2,
        clock: Clock | None = None,
    ) -> None:
        if (host is None) == (url is None):
            raise InvalidRequestError("session store: give either a host or a url")
        if url is not None:
            self._address = replace(Address.of_url(url), ca_file=ca_file)
        else:
            self._address = replace(
                Address.of_host(cast(str, host), port),
                db=db,
                is_encrypted=ssl,
                ca_file=ca_file,
                user_name=user_name,
                password=access_key,
            )
        self._clock = clock or SystemClock()
        self._logins: EntraLogins | None = None
        if credential is not None:
            self._logins = EntraLogins(
                credential,
                clock=self._clock,
                user_name=user_name,
                scope=scope,
                on_renewed=lambda login: self._lanes.log_in(login.user_name, login.token),
            )
        self._op_timeout_s = op_timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._lanes = Lanes(
            lambda: self._address.connection(self._logins, connect_timeout_s=connect_timeout_s),
            op_timeout_s=op_timeout_s,
            connect_timeout_s=connect_timeout_s,
            max_lanes=max_connections,
        )
        self._blocking: BlockingRedis | None = None
        self._round_trips = RoundTripTotal()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    # --- commands -----------------------------------------------------------------------------

    async def set_value_async(self, key: str, value: object, expire: float | None = None) -> None:
        """Store *value* for *expire* seconds (None: for good).

        ``str`` and ``bytes`` are stored as they are, everything else as JSON.

        Raises:
            InvalidRequestError: The value cannot be written as JSON.
        """
        text = value if isinstance(value, str | bytes) else _to_json(value)
        ttl = () if expire is None else ("PX", max(1, round(expire * 1000)))
        await self.execute("SET", key, text, *ttl, may_repeat=True)

    async def get_value_async(self, key: str) -> str | None:
        """What is stored, as text; None if nothing is."""
        return cast(str | None, await self.execute("GET", key, may_repeat=True))

    async def get_json_async(self, key: str) -> Any:
        """What ``set_value_async`` stored as JSON; None if nothing is.

        Raises:
            UpstreamError: What is stored is not JSON.
        """
        text = await self.get_value_async(key)
        try:
            return None if text is None else json.loads(text)
        except ValueError:
            raise UpstreamError("session store: a stored value is not JSON") from None

    async def delete_async(self, *keys: str) -> int:
        """Delete *keys*; how many there were (a repeated call may say fewer)."""
        return cast(int, await self.execute("DEL", *keys, may_repeat=True))

    async def exists_async(self, key: str) -> bool:
        """True if the key holds something."""
        return await self.execute("EXISTS", key, may_repeat=True) == 1

    async def hash_set_async(self, key: str, fields: dict[str, str]) -> None:
        """Set *fields* of a hash; other fields stay. Nothing to set is no call."""
        if fields:
            pairs = [part for pair in fields.items() for part in pair]
            await self.execute("HSET", key, *pairs, may_repeat=True)

    async def hash_get_async(self, key: str, field: str) -> str | None:
        """One field of a hash, None if there is none."""
        return cast(str | None, await self.execute("HGET", key, field, may_repeat=True))

    async def hash_get_all_async(self, key: str) -> dict[str, str]:
        """All fields of a hash; empty if there is no such hash."""
        flat = cast(list[str], await self.execute("HGETALL", key, may_repeat=True))
        return dict(zip(flat[::2], flat[1::2], strict=True))

    async def expire_async(self, key: str, seconds: float) -> bool:
        """Let *key* end in *seconds*; false if there is no such key."""
        milliseconds = max(1, round(seconds * 1000))
        return await self.execute("PEXPIRE", key, milliseconds, may_repeat=True) == 1

    async def ping_async(self) -> None:
        """Ask the server for a sign of life; connects if necessary."""
        await self.execute("PING", may_repeat=True)

    async def execute(self, *command: Argument, may_repeat: bool = False) -> Reply:
        """Run one command; ``may_repeat`` if running it twice does what running it once does."""
        return (await self.pipeline([command], may_repeat=may_repeat))[0]

    async def run_script(
        self,
        script: Script,
        keys: Sequence[str],
        args: Sequence[Argument] = (),
        *,
        may_repeat: bool = True,
    ) -> Reply:
        """Run a script; ours may all be repeated unless said otherwise."""
        call = ScriptCall(script, tuple(keys), tuple(args))
        return (await self.pipeline([call], may_repeat=may_repeat))[0]

    async def pipeline(
        self, commands: Sequence[Command | ScriptCall], *, may_repeat: bool = False
    ) -> list[Reply]:
        """Run *commands* in order in one round trip (two for a script new to the server).

        Not a transaction: commands of others may run in between.

        Raises:
            UpstreamError: One was refused; the others have been carried out all the same.
        """
        replies = await self._send([_by_name(command) for command in commands], may_repeat)
        unknown = [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            # These have not run at all, so running them now cannot be a second time.
            texts = [cast(ScriptCall, commands[at]).by_text() for at in unknown]
            for at, reply in zip(unknown, await self._send(texts, may_repeat), strict=True):
                replies[at] = reply
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise _refusal(reply)
        return replies

    def run_script_blocking(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument] = ()
    ) -> Reply:
        """Run a repeatable script on a blocking connection of its own.

        Stalls the event loop for the whole round trip; asynchronous code calls ``run_script``.
        """
        if self._blocking is None:
            self._blocking = self._address.blocking_client(
                self._logins,
                connect_timeout_s=self._connect_timeout_s,
                op_timeout_s=self._op_timeout_s,
            )
        call = ScriptCall(script, tuple(keys), tuple(args))
        self._round_trips.add()
        try:
            try:
                return self._run_blocking(self._blocking, call.by_name())
            except NoScriptError:
                return self._run_blocking(self._blocking, call.by_text())
        except RedisTimeoutError as err:
            raise UpstreamTimeoutError("session store did not answer in time") from err
        except ResponseError as err:
            raise _refusal(err) from None
        except RedisError as err:
            raise UpstreamError("session store unreachable") from err

    @staticmethod
    def _run_blocking(client: BlockingRedis, command: Command) -> Reply:
        return cast(Reply, client.execute_command(*command))  # type: ignore[no-untyped-call]

    # --- the connections ----------------------------------------------------------------------

    @property
    def round_trips_total(self) -> int:
        """Round trips since the manager was made."""
        return self._round_trips.total

    def snapshot(self) -> dict[str, int]:
        """Counters (``_total``) and gauges of the connections."""
        return self._lanes.snapshot() | {"round_trips_total": self._round_trips.total}

    async def aclose(self) -> None:
        """Close everything; later calls are refused. May be repeated."""
        if self._logins is not None:
            await self._logins.aclose()
        await self._lanes.aclose()
        if self._blocking is not None:
            self._blocking.close()

    async def close(self) -> None:
        """The same as ``aclose``."""
        await self.aclose()

    async def _send(self, commands: Sequence[Command], may_repeat: bool) -> list[Reply]:
        with round_trip_span(commands):
            for is_last in (False, True):
                lane = await self._lanes.get()
                self._round_trips.add()
                try:
                    return await self._lanes.call(lane, commands)
                except LaneLostError as err:
                    if is_last or (err.was_sent and not may_repeat):
                        raise UpstreamError("session store: connection lost") from err
                    await self._clock.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - jitter
        raise AssertionError("unreachable")


def _by_name(command: Command | ScriptCall) -> Command:
    return command.by_name() if isinstance(command, ScriptCall) else command


def _refusal(err: ResponseError) -> UpstreamError:
    # The server's text may quote arguments; its first word is an error code (WRONGTYPE, OOM).
    code = str(err).partition(" ")[0]
    known = code if code.isupper() and code.isalpha() else type(err).__name__
    return UpstreamError(f"session store refused a command ({known})")


def _to_json(value: object) -> str:
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidRequestError("value: not writable as JSON") from None

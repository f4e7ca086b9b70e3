"""The Redis manager over bad lines: held up, cut, closed, crowded."""

import asyncio
import uuid

import pytest

from shared.errors import UpstreamError, UpstreamTimeoutError
from shared.redis.manager import AzureRedisManager
from shared.redis.script import Script
from tests.contract.redis_wire import Wire, free_port, until

pytest_plugins = ("tests.contract.redis_fixture",)


def key() -> str:
    """A key of this test's own."""
    return f"test:{uuid.uuid4()}"


ECHO = Script(
    text="return {KEYS[1], ARGV[1]}",
    sha="d006f1a90249474274c76f5be725b8f5804a346b",
)


async def test_manager_cancelled_callers_leave_the_others_alone(
    wire: Wire,
) -> None:
    """With half of the callers gone before their answers came, the rest get their own."""
    async with wire.laid() as port, AzureRedisManager(url=f"redis://127.0.0.1:{port}") as redis:
        names = [key() for _ in range(60)]
        await asyncio.gather(*(redis.set_value_async(name, name) for name in names))
        wire.hold()
        calls = [asyncio.create_task(redis.get_value_async(name)) for name in names]
        await wire.answers.wait()
        for call in calls[::2]:
            call.cancel()
        await asyncio.wait(calls[::2])
        wire.release()

        assert await asyncio.gather(*calls[1::2]) == names[1::2]
        assert all(call.cancelled() for call in calls[::2])
        assert await redis.get_value_async(names[0]) == names[0]
        assert redis.snapshot()["connections_lost_total"] == 0
        assert redis.snapshot()["calls_in_flight"] == 0


async def test_manager_silent_server_ends_calls_in_time_and_is_left(wire: Wire) -> None:
    """A frozen connection costs each call its deadline, and is replaced instead of reused."""
    async with (
        wire.laid() as port,
        AzureRedisManager(url=f"redis://127.0.0.1:{port}", op_timeout_s=0.1) as redis,
    ):
        await redis.ping_async()
        wire.hold()
        with pytest.raises(UpstreamTimeoutError, match="session store"):
            await redis.ping_async()
        wire.release()

        await redis.ping_async()
        assert wire.connections_total == 2
        assert redis.snapshot()["connections_lost_total"] == 1


async def test_manager_impatient_callers_cannot_hide_a_dead_connection(wire: Wire) -> None:
    """Callers with shorter deadlines than ours never see ours pass; the connection still goes."""
    async with (
        wire.laid() as port,
        AzureRedisManager(url=f"redis://127.0.0.1:{port}", op_timeout_s=0.1) as redis,
    ):
        await redis.ping_async()
        wire.hold()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await redis.ping_async()
        wire.release()

        await redis.ping_async()
        assert redis.snapshot()["connections_lost_total"] == 1


async def test_manager_repeats_what_may_be_repeated_once(wire: Wire) -> None:
    """A read survives a broken connection; nobody has to write the retry again."""
    async with wire.laid() as port, AzureRedisManager(url=f"redis://127.0.0.1:{port}") as redis:
        name = key()
        await redis.set_value_async(name, "v")
        wire.hold()
        call = asyncio.create_task(redis.get_value_async(name))
        await wire.answers.wait()
        wire.cut()
        wire.release()

        assert await call == "v"
        assert wire.connections_total == 2


async def test_manager_never_repeats_an_increment(wire: Wire, redis: AzureRedisManager) -> None:
    """A plain counter whose answer was lost is reported, not counted twice."""
    async with wire.laid() as port, AzureRedisManager(url=f"redis://127.0.0.1:{port}") as bad:
        name = key()
        await bad.ping_async()
        wire.hold()
        call = asyncio.create_task(bad.execute("INCR", name))
        await wire.answers.wait()
        wire.cut()
        wire.release()

        with pytest.raises(UpstreamError, match="connection lost"):
            await call
        assert await redis.get_value_async(name) == "1"


async def test_manager_nobody_there_is_an_error_soon() -> None:
    """An unreachable server is said to be unreachable; concurrent callers share one attempt."""
    async with AzureRedisManager(url=f"redis://127.0.0.1:{free_port()}") as redis:
        results = await asyncio.gather(
            *(redis.ping_async() for _ in range(5)), return_exceptions=True
        )
        assert [str(result) for result in results] == ["session store unreachable"] * 5
        assert all(isinstance(result, UpstreamError) for result in results)
        with pytest.raises(UpstreamError):
            redis.run_script_blocking(ECHO, ["k"], ["v"])


async def test_manager_connecting_has_a_deadline(wire: Wire) -> None:
    """A server that accepts and says nothing does not hold a call for ever."""
    async with (
        wire.laid() as port,
        AzureRedisManager(url=f"redis://127.0.0.1:{port}/1", connect_timeout_s=0.1) as redis,
    ):
        wire.hold()
        with pytest.raises(UpstreamTimeoutError, match="not reached in time"):
            await redis.ping_async()
        wire.release()
        await redis.ping_async()


async def test_manager_cancelled_first_caller_leaves_the_connection_to_the_next(
    wire: Wire,
) -> None:
    """The first caller may leave while connecting; the second uses the connection it began."""
    async with wire.laid() as port, AzureRedisManager(url=f"redis://127.0.0.1:{port}/1") as redis:
        wire.hold()
        first = asyncio.create_task(redis.ping_async())
        await wire.answers.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        second = asyncio.create_task(redis.ping_async())
        wire.release()
        await second
        assert wire.connections_total == 1


async def test_manager_closing_ends_waiting_calls_and_refuses_new_ones(wire: Wire) -> None:
    """Closing is final, may be repeated, and leaves no caller hanging."""
    async with wire.laid() as port:
        redis = AzureRedisManager(url=f"redis://127.0.0.1:{port}")
        await redis.ping_async()
        wire.hold()
        call = asyncio.create_task(redis.ping_async())
        await wire.answers.wait()
        await redis.aclose()
        await redis.close()

        with pytest.raises(UpstreamError):
            await call
        with pytest.raises(UpstreamError, match="closed"):
            await redis.ping_async()


async def test_manager_closing_while_connecting_is_no_cancellation(wire: Wire) -> None:
    """A caller that waits for a connection hears that the store closed; it was not cancelled."""
    async with wire.laid() as port:
        redis = AzureRedisManager(url=f"redis://127.0.0.1:{port}/1")
        wire.hold()
        call = asyncio.create_task(redis.ping_async())
        await wire.answers.wait()
        await redis.aclose()
        with pytest.raises(UpstreamError, match="closed"):
            await call


async def test_manager_opens_a_second_connection_only_for_a_crowd(wire: Wire) -> None:
    """Few callers share one connection, and many never use more than the limit."""
    async with (
        wire.laid() as port,
        AzureRedisManager(url=f"redis://127.0.0.1:{port}", max_connections=2) as redis,
    ):
        await asyncio.gather(*(redis.ping_async() for _ in range(10)))
        assert wire.connections_total == 1
        for _ in range(3):
            await asyncio.gather(*(redis.ping_async() for _ in range(100)))
        assert wire.connections_total == 2
        assert redis.snapshot()["connections_idle"] == 2


async def test_manager_blocking_scripts_have_a_deadline(wire: Wire) -> None:
    """The blocking path ends in time when the server is silent."""
    async with (
        wire.laid() as port,
        AzureRedisManager(
            url=f"redis://127.0.0.1:{port}", op_timeout_s=0.1, connect_timeout_s=0.1
        ) as redis,
    ):
        wire.hold()
        with pytest.raises(UpstreamTimeoutError):
            await asyncio.to_thread(redis.run_script_blocking, ECHO, ["k"], ["v"])
        wire.release()


async def test_manager_cancelled_in_the_middle_of_sending_leaves_no_half_command(
    wire: Wire,
) -> None:
    """A caller that leaves while its command is being written has sent all of it or nothing."""
    async with wire.laid() as port, AzureRedisManager(url=f"redis://127.0.0.1:{port}") as redis:
        name = key()
        await redis.ping_async()
        text = "x" * 30_000_000
        wire.block()
        sending = asyncio.create_task(redis.set_value_async(name, text))
        behind = asyncio.create_task(redis.execute("INCR", key()))
        read = asyncio.create_task(redis.get_value_async(name))
        await until(lambda: redis.snapshot()["calls_in_flight"] == 3)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        wire.release()

        assert await read in (None, text)
        # Whether the rest was in the transport's hands already differs between Python versions.
        (result,) = await asyncio.gather(behind, return_exceptions=True)
        is_lost = redis.snapshot()["connections_lost_total"] == 1
        assert isinstance(result, UpstreamError) if is_lost else result == 1


async def test_manager_repeats_even_an_increment_that_was_never_sent(wire: Wire) -> None:
    """What still waited for its turn when the connection broke did not happen: it may be sent."""
    async with (
        wire.laid() as port,
        AzureRedisManager(url=f"redis://127.0.0.1:{port}", max_connections=1) as redis,
    ):
        await redis.ping_async()
        wire.hold()
        sent = [asyncio.create_task(redis.execute("INCR", key())) for _ in range(16)]
        late = key()
        unsent = asyncio.create_task(redis.execute("INCR", late))
        await until(lambda: redis.snapshot()["calls_in_flight"] == 17)
        wire.cut()
        wire.release()

        assert await unsent == 1
        results = await asyncio.gather(*sent, return_exceptions=True)
        assert all(isinstance(result, UpstreamError) for result in results)


async def test_manager_server_that_closes_an_idle_connection_goes_unnoticed(wire: Wire) -> None:
    """Between two calls the server may restart; the next call connects anew and succeeds."""
    async with wire.laid() as port, AzureRedisManager(url=f"redis://127.0.0.1:{port}") as redis:
        await redis.ping_async()
        wire.cut()
        await until(lambda: redis.snapshot()["connections_idle"] == 0)
        assert await redis.execute("INCR", key()) == 1

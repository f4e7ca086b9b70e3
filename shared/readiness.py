"""Whether an instance is ready, and what makes it so."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.errors import AppError, UpstreamError
from shared.pools.warmable import WarmableResourcePool
from shared.resources import Resources
from shared.settings import NotConfiguredError
from shared.telemetry.logs import get_logger

T = TypeVar("T")

logger = get_logger(__name__)

CHECK_S = 2.0
"""How long one part may take to say that it is well."""

KNOWLEDGE_S = 10.0
"""How long the knowledge base may take; no call waits for it."""


async def failing(parts: Resources, *, within_s: float = CHECK_S) -> list[str]:
    """Touch every part that the first call needs; return the names of those that do not answer.

    What is not built yet is built, and goes on being built if it takes longer than *within_s*.
    Again costs a ping or two.
    """
    checks = {
        "redis": _redis,
        "jwks": _jwks,
        "documents": _documents,
        "telephony": _telephony,
        "model": _model,
        "agents": _agents,
        "tts_pool": _tts_pool,
        "stt_pool": _stt_pool,
    }
    await parts.imported.get()
    results = await asyncio.gather(*(_passes(check, parts, within_s) for check in checks.values()))
    names = [name for name, passes in zip(checks, results, strict=True) if not passes]
    if names:
        logger.warning("not ready", extra={"failing": names})
    return names


async def warm(parts: Resources) -> list[str]:
    """Make ready, and then what callers will hear first; returns as `failing` does.

    The lines the agents say without a model are spoken ahead; again costs a round trip. Knowledge
    that cannot be reached makes no instance unready: its tool says so, and calls go on.
    """
    names = await failing(parts)
    await _passes(_knowledge, parts, KNOWLEDGE_S)
    try:
        prompts = await parts.prompts.get()
    except AppError:
        return names  # there is no speech service, or it has been named already
    await prompts.rehearse()
    return names


async def _redis(parts: Resources) -> None:
    await (await parts.redis.get()).ping_async()


async def _jwks(parts: Resources) -> None:
    await (await parts.jwks.get()).warm()


async def _documents(parts: Resources) -> None:
    await (await parts.documents.get()).check()


async def _telephony(parts: Resources) -> None:
    await (await parts.telephony.get()).warm()


async def _model(parts: Resources) -> None:
    await (await parts.model.get()).warm()


async def _agents(parts: Resources) -> None:
    await parts.runner.get()


async def _tts_pool(parts: Resources) -> None:
    await _filled(await parts.tts_pool.get())


async def _stt_pool(parts: Resources) -> None:
    await _filled(await parts.stt_pool.get())


async def _knowledge(parts: Resources) -> None:
    await (await parts.knowledge.get()).warm()


async def _filled(pool: WarmableResourcePool[T]) -> None:
    """Fill the pool's stock; builds that take longer than a check go on after it."""
    await pool.prepare()
    figures = pool.snapshot()
    if not any(figures[gauge] for gauge in ("idle", "parked", "leased")):
        raise UpstreamError("the pool could not build anything")


async def _passes(
    check: Callable[[Resources], Awaitable[None]], parts: Resources, within_s: float
) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await check(parts)
    except NotConfiguredError:
        return True  # what the settings leave out cannot fail
    except (AppError, TimeoutError) as error:
        # The text of an error of ours names fields and files, never values: whoever set the app up
        # finds the mistake in it.
        logger.warning("check failed", extra={"error": type(error).__name__, "detail": str(error)})
        return False
    return True

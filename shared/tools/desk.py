"""Tools for clients outside: the agent's path, with the session read before and saved after."""

from shared.errors import (
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    SessionNotFoundError,
    ToolNotFoundError,
    UpstreamTimeoutError,
)
from shared.state.memo import MemoManager
from shared.state.store import SessionStore
from shared.tools.context import EphemeralFacts, ToolContext, ToolServices
from shared.tools.registry import ToolRegistry
from shared.tools.run import Ledger, run_tool
from shared.types import Json, SessionId

MAX_KEY_CHARS = 200

_ERRORS = {
    "unknown_tool": ToolNotFoundError,
    "invalid_arguments": InvalidRequestError,
    "refused": ForbiddenError,
    "idempotency_mismatch": ConflictError,
    "tool_timeout": UpstreamTimeoutError,
}
"""Failures of the call itself; every other result is the tool's own answer."""


class ToolDesk:
    """Runs tools for HTTP clients."""

    def __init__(
        self,
        registry: ToolRegistry,
        store: SessionStore,
        *,
        ledger: Ledger,
        services: ToolServices,
    ) -> None:
        self._registry = registry
        self._store = store
        self._ledger = ledger
        self._services = services

    async def run(
        self, name: str, arguments: Json, *, session_id: SessionId | None, idempotency_key: str
    ) -> Json:
        """Run a tool and return its result.

        Raises:
            ToolNotFoundError, InvalidRequestError, ForbiddenError, ConflictError, UpstreamError:
                The call could not be made or did not come to an end.
            SessionNotFoundError: The session named does not exist.
        """
        if len(idempotency_key) > MAX_KEY_CHARS:
            raise InvalidRequestError(f"Idempotency-Key: at most {MAX_KEY_CHARS} characters")
        memo = await self._memo_of(session_id) if session_id else None
        context = ToolContext(
            session_id=session_id,
            agent=None,
            channel="http",
            memo=memo or EphemeralFacts(),
            idempotency_key=idempotency_key,
            services=self._services,
        )
        result = await run_tool(self._registry, name, arguments, context, self._ledger)
        if memo is not None:
            await memo.persist_to_redis_async()
        error = _ERRORS.get(str(result.get("error", "")).partition(":")[0])
        if error is not None and not result["success"]:
            raise error(result.get("message", ""))
        return result

    async def _memo_of(self, session_id: SessionId) -> MemoManager:
        loaded = await self._store.load(session_id)
        if loaded.call is None:
            raise SessionNotFoundError("there is no such session, or it has expired")
        return loaded.memo

"""The registered tools as a turn uses them: who calls, for whom, and under which key."""

from collections.abc import Sequence

from shared.agent.turn import TurnRequest
from shared.tools.context import ToolContext, ToolServices
from shared.tools.keys import idempotency_key
from shared.tools.registry import ToolRegistry
from shared.tools.run import Ledger, run_tool
from shared.types import Json

TRANSFER_TAG = "transfer"
"""Tools that end in a person on the phone: of no use where there is no phone."""


class RegisteredTools:
    """Runs registered tools for the agent."""

    def __init__(self, registry: ToolRegistry, *, ledger: Ledger, services: ToolServices) -> None:
        self._registry = registry
        self._ledger = ledger
        self._services = services

    def offered(self, names: Sequence[str], *, channel: str) -> list[Json]:
        """The tools in the form in which the model is told of them; to be read, not changed."""
        needs_phone = set(self._registry.list_tools(tags={TRANSFER_TAG}))
        usable = [one for one in names if channel == "call" or one not in needs_phone]
        # As they are kept: copies of twenty schemas were a quarter of what a turn cost.
        return self._registry.offer(usable)

    async def run(self, request: TurnRequest, name: str, arguments: Json) -> Json:
        """Run a tool; failures and refusals are results too.

        The same tool with the same arguments in the same turn is the same call, whoever runs it:
        what has side effects has them once.
        """
        context = ToolContext(
            session_id=request.session_id,
            agent=request.agent,
            channel="agent",
            memo=request.memory,
            idempotency_key=idempotency_key(request.session_id, request.turn, name, arguments),
            services=self._services,
        )
        return await run_tool(self._registry, name, arguments, context, self._ledger)

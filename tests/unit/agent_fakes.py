"""Stand-ins for what agents are loaded with."""


class FakeCatalog:
    """Tools by name only."""

    def __init__(self, *tools: str, handoffs: tuple[str, ...] = ()) -> None:
        self._tools = [*tools, *handoffs]
        self._handoffs = handoffs

    def list_tools(self) -> list[str]:
        """All of them."""
        return self._tools

    def is_handoff_tool(self, name: str) -> bool:
        """As it was said."""
        return name in self._handoffs

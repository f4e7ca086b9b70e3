"""What the tests of the model client share: a script, a server, a client."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from shared.agent.completions import Completion, TextDelta
from shared.agent.model import ChatModel
from shared.types import Json
from simulator.model import Script, ScriptedModel, Timing

KEY = "a-key"
GREETING = "Good morning. What can I do for you? It is a fine day, is it not?"
SCRIPT = Script.parse(
    {
        "rules": [
            {"when": {"says": "hello"}, "say": GREETING},
            {
                "when": {"says": "both"},
                "say": "One moment.",
                "call": [
                    {"tool": "look_up", "arguments": {"query": "what {{ user }} means", "top": 3}},
                    {"tool": "count", "arguments": {}},
                ],
            },
        ]
    }
)


def tool(name: str, *parameters: str) -> Json:
    """A tool definition as the SDK takes it."""
    properties = {parameter: {"type": "string"} for parameter in parameters}
    schema = {"type": "object", "properties": properties}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


TOOLS = [tool("look_up", "query", "top"), tool("count")]


def user(text: str) -> list[Json]:
    """A conversation in which the caller has just said *text*."""
    return [
        {"role": "system", "content": "Agent: concierge"},
        {"role": "user", "content": text},
    ]


@asynccontextmanager
async def running_server() -> AsyncIterator[ScriptedModel]:
    """A model that answers at once."""
    server = ScriptedModel(SCRIPT, api_key=KEY, timing=Timing(0, 0), bearer_tokens=["t-1", "t-2"])
    await server.start()
    try:
        yield server
    finally:
        await server.aclose()


@asynccontextmanager
async def client_of(
    server: ScriptedModel, *, key: str = KEY, deployment: str = "gpt-4o", timeout_s: float = 5.0
) -> AsyncIterator[ChatModel]:
    """A client of it."""
    client = ChatModel(
        base_url=server.base_url, deployment=deployment, api_key=key, timeout_s=timeout_s
    )
    try:
        yield client
    finally:
        await client.aclose()


async def collect(
    model: ChatModel, text: str = "hello", *, deadline_s: float = 5.0, tools: list[Json] = TOOLS
) -> tuple[str, Completion]:
    """Run a stream to its end; gives the text and the completion."""
    pieces: list[str] = []
    completions: list[Completion] = []
    async with aclosing(model.stream(user(text), tools=tools, deadline_s=deadline_s)) as items:
        async for item in items:
            if isinstance(item, TextDelta):
                assert not completions, "the completion comes last"
                pieces.append(item.text)
            else:
                completions.append(item)
    (completion,) = completions
    return "".join(pieces), completion

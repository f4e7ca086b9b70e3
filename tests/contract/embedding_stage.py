"""What the tests of embeddings and of the search share: the app's client of a stand-in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.knowledge.embeddings import OpenAIEmbeddings
from simulator.model import ScriptedModel
from simulator.model.embeddings import EMBEDDING_MODEL
from simulator.model.minilm import DIMENSIONS
from tests.contract.model_stage import KEY


@asynccontextmanager
async def embeddings_of(
    server: ScriptedModel,
    *,
    deployment: str = EMBEDDING_MODEL,
    dimensions: int = DIMENSIONS,
    key: str = KEY,
) -> AsyncIterator[OpenAIEmbeddings]:
    """The app's client of *server*."""
    client = OpenAIEmbeddings(
        base_url=server.base_url,
        deployment=deployment,
        api_key=key,
        dimensions=dimensions,
        timeout_s=10.0,
    )
    try:
        yield client
    finally:
        await client.aclose()

"""What the tests of the knowledge base share: a database, a model, and the app's parts for them."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.cosmos.database import CosmosDatabase
from shared.knowledge.chunks import Chunk
from shared.knowledge.cosmos import CosmosVectorRetriever
from shared.knowledge.embeddings import OpenAIEmbeddings
from shared.knowledge.query_vectors import QueryVectors
from shared.knowledge.shelf import PassageShelf
from shared.records.containers import KNOWLEDGE
from simulator.cosmos import CosmosStandIn, seed_containers
from simulator.model import ScriptedModel
from simulator.model.embeddings import EMBEDDING_MODEL
from simulator.model.minilm import DIMENSIONS
from tests.contract.cosmos_stage import DATABASE, LAYOUT, running_account
from tests.contract.embedding_stage import embeddings_of
from tests.contract.model_stage import KEY, running_server

OTHER_VECTORS = """
database: voice-agent
partition_key: /partition
containers:
  knowledge:
    vectors: {path: /embedding, dimensions: 1536}
"""


@dataclass(frozen=True, slots=True)
class KnowledgeStage:
    """The parts, connected."""

    cosmos: CosmosStandIn
    model: ScriptedModel
    database: CosmosDatabase
    embeddings: OpenAIEmbeddings
    shelf: PassageShelf

    def retriever(self, *, deadline_s: float = 60.0) -> CosmosVectorRetriever:
        """A search that has not been used yet."""
        return CosmosVectorRetriever(
            self.database,
            QueryVectors(self.embeddings),
            container=KNOWLEDGE.name,
            deadline_s=deadline_s,
        )


def chunk(name: str, content: str, *, collection: str = "faq") -> Chunk:
    """A passage."""
    return Chunk(name, name.title(), collection, f"https://x.example/{name}", content)


@asynccontextmanager
async def knowledge_stage(*, layout: Path = LAYOUT) -> AsyncIterator[KnowledgeStage]:
    """Everything up, the containers empty and made as *layout* says."""
    async with AsyncExitStack() as stack:
        cosmos = await stack.enter_async_context(running_account(has_containers=False))
        seed_containers(cosmos.store, layout)
        model = await stack.enter_async_context(running_server())
        embeddings = await stack.enter_async_context(embeddings_of(model))
        database = CosmosDatabase(cosmos.endpoint, cosmos.key, name=DATABASE, timeout_s=20)
        stack.push_async_callback(database.aclose)
        shelf = PassageShelf(database, KNOWLEDGE.name)
        cosmos.exchanges.clear()
        yield KnowledgeStage(cosmos, model, database, embeddings, shelf)


async def fill(stage: KnowledgeStage, chunks: Iterable[Chunk]) -> None:
    """Put passages onto the shelf."""
    for one in chunks:
        (vector,) = await stage.embeddings.embed([one.text], deadline_s=60)
        await stage.shelf.put(one, vector, one.digest(stage.embeddings.model))


@asynccontextmanager
async def stage_for_other_vectors(folder: Path) -> AsyncIterator[KnowledgeStage]:
    """A container that was made for vectors of 1536 dimensions."""
    layout = folder / "layout.yaml"
    layout.write_text(OTHER_VECTORS)
    async with knowledge_stage(layout=layout) as stage:
        yield stage


def settings_of(stage: KnowledgeStage) -> dict[str, str]:
    """The settings that lead to it."""
    return {
        "COSMOS_ENDPOINT": stage.cosmos.endpoint,
        "COSMOS_KEY": stage.cosmos.key,
        "COSMOS_DATABASE": DATABASE,
        "AZURE_OPENAI_ENDPOINT": stage.model.base_url.removesuffix("/openai/v1/"),
        "AZURE_OPENAI_API_KEY": KEY,
        "AZURE_OPENAI_EMBEDDING_DEPLOYMENT": EMBEDDING_MODEL,
        "EMBEDDING_DIMENSIONS": str(DIMENSIONS),
    }

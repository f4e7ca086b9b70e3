"""How the knowledge base fits together; `shared.resources` builds it when needed."""

from typing import Protocol

from shared.cosmos.database import CosmosDatabase
from shared.knowledge.cosmos import CosmosVectorRetriever
from shared.knowledge.embedded import EmbeddedKnowledge
from shared.knowledge.embeddings import OpenAIEmbeddings
from shared.knowledge.query_vectors import QueryVectors
from shared.knowledge.shelf import PassageShelf
from shared.openai.client import ApiKey, base_url_of
from shared.pools.lazy import Lazy
from shared.records.containers import KNOWLEDGE
from shared.settings import NotConfiguredError, Settings
from shared.telemetry.logs import get_logger

logger = get_logger(__name__)

_SILENCE_S = 10.0
"""How long the embedding model may say nothing; a search has a deadline of its own."""


class Parts(Protocol):
    """The parts these are made of; `shared.resources.Resources` has them."""

    database: Lazy[CosmosDatabase]
    embeddings: Lazy[OpenAIEmbeddings]
    openai_key: Lazy[ApiKey]

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        ...


async def build_embeddings(parts: Parts) -> OpenAIEmbeddings:
    """The embedding model.

    Raises:
        NotConfiguredError: The settings name none.
    """
    settings = parts.settings
    if settings.openai_embedding_deployment is None:
        raise NotConfiguredError("AZURE_OPENAI_EMBEDDING_DEPLOYMENT is missing")
    return OpenAIEmbeddings(
        base_url=base_url_of(settings.openai_endpoint),
        deployment=settings.openai_embedding_deployment,
        api_key=await parts.openai_key.get(),
        dimensions=settings.embedding_dimensions,
        timeout_s=_SILENCE_S,
    )


async def build_knowledge(parts: Parts) -> EmbeddedKnowledge | CosmosVectorRetriever:
    """The bank's own passages in the database; without one, the shipped articles."""
    settings = parts.settings
    if settings.cosmos_endpoint is None or settings.openai_embedding_deployment is None:
        logger.info("knowledge is the shipped articles")
        return EmbeddedKnowledge()
    queries = QueryVectors(await parts.embeddings.get())
    return CosmosVectorRetriever(await parts.database.get(), queries, container=KNOWLEDGE.name)


async def build_shelf(parts: Parts) -> PassageShelf:
    """Where the passages are kept, for loading them."""
    return PassageShelf(await parts.database.get(), KNOWLEDGE.name)

"""Texts into vectors: the embeddings of Azure OpenAI's v1 API."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from openai.types import CreateEmbeddingResponse

from shared.errors import UpstreamError, UpstreamTimeoutError
from shared.openai.client import ApiKey, connect_client
from shared.openai.failures import VENDOR_ERRORS, retry_delay_s, translated
from shared.telemetry import names
from shared.telemetry.logs import get_logger
from shared.telemetry.tracing import Attributes, Kind, span

logger = get_logger(__name__)

Vector = Sequence[float]

_UNREADABLE = (ValueError, TypeError, AttributeError)
"""What the SDK raises when it takes apart an answer of another shape than the service's."""


class Embeddings(Protocol):
    """Turns texts into vectors of one length."""

    @property
    def model(self) -> str:
        """Whose vectors they are; those of two models cannot be compared."""
        ...

    @property
    def dimensions(self) -> int:
        """How long every vector is."""
        ...

    async def embed(self, texts: Sequence[str], *, deadline_s: float) -> list[Vector]:
        """The vectors of *texts*, in their order; *texts* are not empty.

        Raises:
            UpstreamError: The service failed, or sent vectors of another length.
        """
        ...


class OpenAIEmbeddings:
    """One deployment of an embedding model. Belongs to the event loop of its first use."""

    def __init__(
        self,
        *,
        base_url: str,
        deployment: str,
        api_key: ApiKey,
        dimensions: int,
        timeout_s: float,
    ) -> None:
        """Remember how to reach the model; nothing is connected yet.

        Args:
            base_url: Ends in ``/openai/v1/``.
            deployment: What Azure calls the model here.
            api_key: A key, or what gives a token for each request.
            dimensions: What the container was made for; the service is asked for exactly that.
            timeout_s: How long the service may be silent.
        """
        self.model = deployment
        self.dimensions = dimensions
        self._client = connect_client(
            base_url=base_url, api_key=api_key, timeout_s=timeout_s, max_connections=20
        )

    async def embed(self, texts: Sequence[str], *, deadline_s: float) -> list[Vector]:
        """The vectors of *texts*, in their order.

        A request that failed is made once more if the deadline allows.

        Raises:
            UpstreamTimeoutError: The deadline passed, or the service fell silent.
            UpstreamThrottledError: Too many requests; says when to come back, if known.
            UpstreamError: Anything else, such as vectors of another length: they are never
                padded or cut.
        """
        deadline = asyncio.get_running_loop().time() + deadline_s
        facts: Attributes = {
            names.GEN_AI_OPERATION: names.SPAN_EMBEDDINGS,
            names.GEN_AI_PROVIDER: names.AZURE_OPENAI,
            names.GEN_AI_SYSTEM: names.AZURE_OPENAI,
            names.GEN_AI_REQUEST_MODEL: self.model,
            names.PEER: names.PEER_MODEL,
        }
        name = f"{names.SPAN_EMBEDDINGS} {self.model}"
        with span(name, facts, kind=Kind.CLIENT, is_detail=True):
            try:
                async with asyncio.timeout_at(deadline):
                    response = await self._ask(texts, deadline)
            except TimeoutError as err:
                raise UpstreamTimeoutError("the embeddings did not come in time") from err
            except (*VENDOR_ERRORS, *_UNREADABLE) as err:
                raise translated(err) from err
        return self._vectors(response, len(texts))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _ask(self, texts: Sequence[str], deadline: float) -> CreateEmbeddingResponse:
        """Ask, and ask once more where that may help; raises what the SDK raises."""
        try:
            return await self._request(texts)
        except VENDOR_ERRORS as err:
            delay_s = retry_delay_s(err)
            if delay_s is None or asyncio.get_running_loop().time() + delay_s >= deadline:
                raise
        logger.warning("embedding call is retried", extra={"delay_ms": round(delay_s * 1000)})
        await asyncio.sleep(delay_s)
        return await self._request(texts)

    async def _request(self, texts: Sequence[str]) -> CreateEmbeddingResponse:
        return await self._client.embeddings.create(
            model=self.model, input=list(texts), dimensions=self.dimensions
        )

    def _vectors(self, response: CreateEmbeddingResponse, count: int) -> list[Vector]:
        data = response.data or ()  # the SDK checks nothing
        by_index = {one.index: one.embedding for one in data}
        if sorted(by_index) != list(range(count)) or len(data) != count:
            raise UpstreamError("the embedding model did not answer for every text")
        vectors: list[Vector] = [by_index[index] for index in range(count)]
        for vector in vectors:
            if len(vector) != self.dimensions:
                raise UpstreamError(
                    f"the embedding model sent {len(vector)} dimensions, not {self.dimensions}"
                )
        return vectors

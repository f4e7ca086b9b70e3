"""The app's embeddings client, on the real SDK, against the stand-in and its model."""

import math
import struct
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from shared.errors import UpstreamError, UpstreamThrottledError, UpstreamTimeoutError
from shared.knowledge.embeddings import OpenAIEmbeddings
from shared.knowledge.query_vectors import QueryVectors
from simulator.model import Fault, ScriptedModel
from simulator.model.embeddings import EMBEDDING_MODEL, EmbeddingsEndpoint
from simulator.model.mishaps import answer_errors
from tests.contract.embedding_stage import embeddings_of
from tests.contract.model_stage import KEY, running_server


@pytest.fixture
async def server() -> AsyncIterator[ScriptedModel]:
    """A stand-in of Azure OpenAI."""
    async with running_server() as running:
        yield running


@pytest.fixture
async def embeddings(server: ScriptedModel) -> AsyncIterator[OpenAIEmbeddings]:
    """A client of it."""
    async with embeddings_of(server) as client:
        yield client


@pytest.fixture
async def http(server: ScriptedModel) -> AsyncIterator[aiohttp.ClientSession]:
    """Plain HTTP with the key."""
    root = server.base_url.removesuffix("openai/v1/")
    async with aiohttp.ClientSession(root, headers={"api-key": KEY}) as session:
        yield session


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """How alike two vectors of length 1 are."""
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_embed_brings_meanings_together(embeddings: OpenAIEmbeddings) -> None:
    """The local model must really understand, or local search would prove nothing."""
    vectors = await embeddings.embed(
        ["How do I get my money back?", "Refunds of charges", "Opening hours on Sunday"],
        deadline_s=60,
    )
    assert [len(vector) for vector in vectors] == [384] * 3
    assert all(math.isclose(cosine(vector, vector), 1, abs_tol=1e-5) for vector in vectors)
    assert cosine(vectors[0], vectors[1]) > cosine(vectors[0], vectors[2]) + 0.2


async def test_embed_answers_in_the_order_of_the_texts(embeddings: OpenAIEmbeddings) -> None:
    """A batch is many texts; each must get its own vector, whatever stands beside it."""
    texts = [f"passage number {number} about cards" for number in range(20)]
    together = await embeddings.embed(texts, deadline_s=60)
    (alone,) = await embeddings.embed([texts[17]], deadline_s=60)
    likeness = [cosine(alone, vector) for vector in together]
    assert max(likeness) == likeness[17] > 0.99


async def test_embed_sends_what_the_service_needs(
    embeddings: OpenAIEmbeddings, server: ScriptedModel
) -> None:
    """The deployment, and the length that the container was made for."""
    await embeddings.embed(["fees"], deadline_s=60)
    (request,) = server.embeddings.requests
    assert request == {
        "model": EMBEDDING_MODEL,
        "input": ["fees"],
        "dimensions": 384,
        "encoding_format": "base64",
    }


@pytest.mark.parametrize(
    "fault", [Fault("throttle", retry_after_ms=5), Fault("error", status=500), Fault("cut")]
)
async def test_embed_asks_once_more_where_it_may_help(
    embeddings: OpenAIEmbeddings, server: ScriptedModel, fault: Fault
) -> None:
    """A hiccup of the service is nothing a caller must hear of."""
    server.embeddings.faults.append(fault)
    (vector,) = await embeddings.embed(["fees"], deadline_s=60)
    assert len(vector) == 384
    assert len(server.embeddings.requests) == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("throttle"), UpstreamThrottledError),
        (Fault("error", status=500), UpstreamError),
        (Fault("cut"), UpstreamError),
        (Fault("malformed"), UpstreamError),
        (Fault("empty"), UpstreamError),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
async def test_embed_fails_by_name(
    embeddings: OpenAIEmbeddings, server: ScriptedModel, fault: Fault, error: type[UpstreamError]
) -> None:
    """What the service cannot do is an error, never a vector of nothing."""
    server.embeddings.faults.extend([fault, fault])
    with pytest.raises(error):
        await embeddings.embed(["fees"], deadline_s=60)


async def test_embed_gives_up_at_its_deadline(
    embeddings: OpenAIEmbeddings, server: ScriptedModel
) -> None:
    """A caller waits for it; a service that never answers must not keep them."""
    server.embeddings.faults.append(Fault("hang"))
    with pytest.raises(UpstreamTimeoutError):
        await embeddings.embed(["fees"], deadline_s=0.2)


async def test_embed_does_not_wait_longer_than_its_deadline_for_another_try(
    embeddings: OpenAIEmbeddings, server: ScriptedModel
) -> None:
    """Waiting a minute and then giving up helps nobody."""
    server.embeddings.faults.append(Fault("throttle", retry_after_ms=60_000))
    with pytest.raises(UpstreamThrottledError) as caught:
        await embeddings.embed(["fees"], deadline_s=30)
    assert caught.value.retry_after_s == 60
    assert len(server.embeddings.requests) == 1


async def test_embed_refuses_vectors_of_another_length(
    embeddings: OpenAIEmbeddings, server: ScriptedModel
) -> None:
    """Filled up with zeros they would be compared, and mean nothing."""
    server.embeddings.faults.append(Fault("short_vector"))
    with pytest.raises(UpstreamError, match="sent 383 dimensions, not 384"):
        await embeddings.embed(["fees"], deadline_s=60)


@pytest.mark.parametrize(
    "wrong", [{"dimensions": 1536}, {"deployment": "another"}, {"key": "another"}]
)
async def test_embed_is_refused_what_the_deployment_is_not(
    server: ScriptedModel, wrong: dict[str, Any]
) -> None:
    """A wrong setting must be found at once, and not by bad answers."""
    async with embeddings_of(server, **wrong) as client:
        with pytest.raises(UpstreamError, match="refused the request with status"):
            await client.embed(["fees"], deadline_s=60)


async def test_query_is_embedded_once(embeddings: OpenAIEmbeddings, server: ScriptedModel) -> None:
    """Callers ask the same things; a second time costs nothing."""
    queries = QueryVectors(embeddings)
    first = await queries.of("What is the  Fee refund policy?", deadline_s=60)
    assert await queries.of(" what is the fee refund policy? ", deadline_s=60) is first
    assert len(server.embeddings.requests) == 1


async def test_endpoint_answers_in_both_encodings(http: aiohttp.ClientSession) -> None:
    """Clients without the SDK get numbers, the SDK gets bytes; both are the same vector."""
    answers = []
    for encoding in ("float", "base64"):
        body = {"model": EMBEDDING_MODEL, "input": "fees", "encoding_format": encoding}
        async with http.post("openai/v1/embeddings", json=body) as response:
            assert response.status == 200
            answers.append(await response.json())
    numbers, packed = (answer["data"][0]["embedding"] for answer in answers)
    assert numbers == pytest.approx(struct.unpack("<384f", b64decode(packed)))
    assert answers[0]["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert answers[0]["model"] == EMBEDDING_MODEL


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": ""},
        {"input": []},
        {"input": ["fees", 1]},
        {"input": [1, 2]},
        {"input": ["x"] * 2049},
        {"dimensions": 0},
        {"dimensions": 1536},
        {"dimensions": True},
        {"encoding_format": "hex"},
        {"stream": True},
    ],
    ids=str,
)
async def test_endpoint_refuses_what_the_service_would(
    http: aiohttp.ClientSession, wrong: dict[str, Any]
) -> None:
    """Code must not come to rely on a stand-in that takes everything."""
    body = {"model": EMBEDDING_MODEL, "input": "fees", **wrong}
    async with http.post("openai/v1/embeddings", json=body) as response:
        assert response.status == 400
        assert (await response.json())["error"]["type"] == "invalid_request_error"


async def test_endpoint_takes_faults_over_http(http: aiohttp.ClientSession) -> None:
    """Whoever plays with a running stack wants to see it fail."""
    faults = {"faults": [{"kind": "error", "status": 503}]}
    async with http.put("_sim/embeddings/faults", json=faults) as response:
        assert response.status == 204
    async with http.get("_sim/embeddings/faults") as response:
        assert [fault["kind"] for fault in (await response.json())["faults"]] == ["error"]
    body = {"model": EMBEDDING_MODEL, "input": "fees"}
    async with http.post("openai/v1/embeddings", json=body) as response:
        assert response.status == 503


async def test_endpoint_says_that_there_is_no_model() -> None:
    """A machine without the packages must tell so, and not make vectors up."""
    app = web.Application(middlewares=[answer_errors])
    endpoint = EmbeddingsEndpoint(None, authorize=lambda _: None)
    endpoint.add_routes(app.router)
    async with TestClient(TestServer(app)) as client:
        body = {"model": EMBEDDING_MODEL, "input": "fees"}
        async with client.post("/openai/v1/embeddings", json=body) as response:
            assert response.status == 503
            assert (await response.json())["error"]["code"] == "model_missing"
    assert not endpoint.is_available

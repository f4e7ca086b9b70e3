"""Embeddings on ``/openai/v1``: the service's protocol over a small model of this machine."""

import asyncio
import base64
import json
import struct
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from simulator.model.faults import Fault
from simulator.model.minilm import DIMENSIONS, Embedded, MiniLm
from simulator.model.mishaps import read_faults, read_json, refuse
from simulator.model.wire import ApiError, invalid

EMBEDDING_MODEL = "all-minilm-l6-v2"
_PARAMETERS = frozenset(("input", "model", "dimensions", "encoding_format", "user"))
_MAX_INPUTS = 2048
"""Of one request, as at the service."""
_MISSING = "No embedding model is installed here: pip install -r requirements-dev.txt"


class EmbeddingsEndpoint:
    """Answers requests for embeddings, and can be told to get them wrong."""

    def __init__(self, model: MiniLm | None, *, authorize: Callable[[web.Request], None]) -> None:
        """Nothing is loaded until the first text comes.

        Args:
            model: None where there is none: every request is answered with 503 then.
            authorize: Raises `ApiError` for a request without the key.
        """
        self.requests: list[dict[str, Any]] = []
        self.faults: deque[Fault] = deque()
        self._authorize = authorize
        self._model = model

    @property
    def is_available(self) -> bool:
        """Whether there is a model on this machine."""
        return self._model is not None

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Say where it is to be found."""
        router.add_post("/openai/v1/embeddings", self._post)
        router.add_get("/_sim/embeddings/faults", self._get_faults)
        router.add_put("/_sim/embeddings/faults", self._put_faults)

    async def warm(self) -> None:
        """Load the model, so that the first request finds it there."""
        if self._model is not None:
            await self._model.embed(["ready"])

    def close(self) -> None:
        """Let the model's thread end."""
        if self._model is not None:
            self._model.close()

    async def _post(self, request: web.Request) -> web.StreamResponse:
        self._authorize(request)
        body = await read_json(request)
        if not isinstance(body, dict):
            raise invalid("The body is not a JSON object.")
        self.requests.append(body)
        texts = check_embedding_request(body)
        fault = self.faults.popleft() if self.faults else None
        if fault is not None:
            await refuse(request, fault)
            if fault.kind == "slow":
                await asyncio.sleep(fault.first_token_ms / 1000)
        if self._model is None:
            raise ApiError(503, "model_missing", _MISSING)
        found = await self._model.embed(texts)
        text = json.dumps(_answer(body, found, fault))
        if fault is not None and fault.kind == "malformed":
            text = text[: len(text) // 2]
        return web.Response(text=text, content_type="application/json")

    async def _get_faults(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"faults": [asdict(fault) for fault in self.faults]})

    async def _put_faults(self, request: web.Request) -> web.StreamResponse:
        """Replace the queue of faults."""
        self.faults = deque(await read_faults(request))
        return web.Response(status=204)


def check_embedding_request(body: Mapping[str, Any]) -> list[str]:
    """The texts of a request, which is refused as the service would refuse it.

    Raises:
        ApiError: 404 for an unknown deployment, 400 for everything else.
    """
    if unknown := sorted(body.keys() - _PARAMETERS):
        raise invalid(f"Unrecognized request argument supplied: {unknown[0]}")
    if body.get("model") != EMBEDDING_MODEL:
        raise ApiError(404, "DeploymentNotFound", "The API deployment does not exist.")
    if body.get("encoding_format", "float") not in ("float", "base64"):
        raise invalid("Invalid 'encoding_format': expected float or base64.")
    dimensions = body.get("dimensions", DIMENSIONS)
    if type(dimensions) is not int or dimensions < 1:
        raise invalid("Invalid 'dimensions': integer below minimum value.")
    if dimensions != DIMENSIONS:
        raise invalid(f"Invalid 'dimensions': this model has {DIMENSIONS} and cannot shorten them.")
    texts = body.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not 0 < len(texts) <= _MAX_INPUTS:
        raise invalid(f"Invalid 'input': expected a string or 1 to {_MAX_INPUTS} of them.")
    if not all(isinstance(text, str) and text for text in texts):
        # The service takes lists of tokens too.
        raise invalid("Invalid 'input': expected strings that are not empty.")
    return texts


def _answer(
    body: Mapping[str, Any], found: list[Embedded], fault: Fault | None
) -> dict[str, object]:
    if fault is not None and fault.kind == "empty":
        found = []
    is_short = fault is not None and fault.kind == "short_vector"
    is_base64 = body.get("encoding_format") == "base64"
    data = []
    for index, one in enumerate(found):
        vector = one.vector[:-4] if is_short else one.vector
        values: object = base64.b64encode(vector).decode()
        if not is_base64:
            values = list(struct.unpack(f"<{len(vector) // 4}f", vector))
        data.append({"object": "embedding", "index": index, "embedding": values})
    tokens = sum(one.tokens for one in found)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": EMBEDDING_MODEL, "usage": usage}

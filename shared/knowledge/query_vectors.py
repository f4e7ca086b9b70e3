"""The vectors of questions, remembered: callers ask the same things."""

from array import array
from collections import OrderedDict

from shared.knowledge.embeddings import Embeddings, Vector

_CAPACITY = 512
"""At 1536 dimensions 6 kB each."""


class QueryVectors:
    """Embeds questions and remembers the last ones, whatever their case and their spaces."""

    def __init__(self, embeddings: Embeddings, *, capacity: int = _CAPACITY) -> None:
        self._embeddings = embeddings
        self._capacity = capacity
        self._known: OrderedDict[tuple[str, str], array[float]] = OrderedDict()

    @property
    def dimensions(self) -> int:
        """How long every vector is."""
        return self._embeddings.dimensions

    async def of(self, query: str, *, deadline_s: float) -> Vector:
        """The vector of *query*.

        Raises:
            UpstreamError: As `Embeddings.embed`; a failure is not remembered.
        """
        text = " ".join(query.split())
        key = (self._embeddings.model, text.casefold())
        known = self._known.get(key)
        if known is None:
            (vector,) = await self._embeddings.embed([text], deadline_s=deadline_s)
            known = array("f", vector)  # as precise as the service sends it, and an eighth as big
            self._known[key] = known  # by now another caller may have put it there: the same
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return known

    async def warm(self, *, deadline_s: float) -> None:
        """Open a connection and prove that the model answers; nothing is remembered of it."""
        await self._embeddings.embed(["ready"], deadline_s=deadline_s)

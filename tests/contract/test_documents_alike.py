"""The fake database and the real client agree on anything that is done to them."""

import random
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import AppError
from shared.records.documents import Document, Documents
from tests.contract.cosmos_stage import connected_documents, running_account
from tests.unit.document_fakes import FakeDocuments

STEPS = 150
VALUES: list[Any] = [1, 1.5, "1", True, None, "a", ["x"], {"k": 1}]


class Hand:
    """Does the same things to a database as another hand does to another one.

    Versions are named differently by each, so that a hand remembers what it has read by place.
    """

    def __init__(self, documents: Documents, seed: int) -> None:
        self._documents = documents
        self._random = random.Random(seed)
        self._read: dict[tuple[str, str], Document] = {}

    async def act(self) -> object:
        """Do something; gives what came of it, without versions."""
        kinds = (self._reads, self._writes, self._replaces, self._selects, self._finds)
        kind = self._random.choice((*kinds, self._writes_together))
        try:
            return await kind(self._some())
        except AppError as err:
            return type(err)

    async def everything(self) -> object:
        """All that is there at the end."""
        found = [
            each for partition in "pq" for each in await self._documents.select("cases", partition)
        ]
        return sorted(repr(self._plain(each)) for each in found)

    async def _reads(self, some: Document) -> object:
        return self._plain(await self._documents.read(some.container, some.partition, some.id))

    async def _writes(self, some: Document) -> object:
        is_new = self._random.random() < 0.5
        write = self._documents.create if is_new else self._documents.upsert
        return self._plain(await write(some))

    async def _replaces(self, some: Document) -> object:
        return self._plain(await self._documents.replace(self._versioned(some)))

    async def _writes_together(self, some: Document) -> object:
        other = replace(some, id=self._random.choice("abcd"))
        await self._documents.write_together(
            some.container, some.partition, [other], [self._versioned(some)]
        )
        return "written"

    async def _selects(self, some: Document) -> object:
        where = {"g": self._random.choice(VALUES[:6])} if self._random.random() < 0.5 else {}
        limit = self._random.randint(1, 3)
        found = await self._documents.select(
            some.container, some.partition, where=where, newest_first_by="n", limit=limit
        )
        return [self._plain(each) for each in found]

    async def _finds(self, some: Document) -> object:
        where = {"f": self._random.choice(VALUES[:6])}
        found = await self._documents.find(some.container, where=where)
        return sorted(repr(self._plain(each)) for each in found)

    def _some(self) -> Document:
        """With a number that is never the same twice, to sort by."""
        fields = {name: self._random.choice(VALUES) for name in "fg" if self._random.random() < 0.8}
        partition, name = self._random.choice("pq"), self._random.choice("abc")
        return Document("cases", partition, name, {**fields, "n": self._random.random()})

    def _versioned(self, some: Document) -> Document:
        """With the version that was read last, which may be an old one."""
        known = self._read.get((some.partition, some.id))
        return replace(some, etag=known.etag if known is not None else '"never"')

    def _plain(self, document: Document | None) -> object:
        if document is None:
            return None
        self._read[document.partition, document.id] = document
        return (document.partition, document.id, document.body)


@pytest.mark.parametrize("seed", range(3))
async def test_fake_and_client_do_the_same(seed: int) -> None:
    """What unit tests prove with the fake holds for the database."""
    async with running_account() as account, connected_documents(account) as real:
        hands = [Hand(FakeDocuments(), seed), Hand(real, seed)]
        for step in range(STEPS):
            fake, client = [await hand.act() for hand in hands]
            assert fake == client, f"step {step}"
        assert await hands[0].everything() == await hands[1].everything()

"""How a stack comes to its knowledge: by the real command once, from a file after that."""

from pathlib import Path

from simulator.knowledge import load_knowledge
from tests.contract.cosmos_stage import DATABASE
from tests.contract.knowledge_stage import knowledge_stage, settings_of


async def test_knowledge_is_embedded_once_and_kept(tmp_path: Path) -> None:
    """The demonstration starts quickly the second time, with the very same documents."""
    async with knowledge_stage() as stage:
        cosmos, settings = stage.cosmos, settings_of(stage)
        count = await load_knowledge(cosmos, DATABASE, settings=settings, folder=tmp_path)
        assert count >= 30
        first = await stage.retriever().search("my wallet is gone", collection="faq", top_k=3)
    async with knowledge_stage() as stage:
        again = await load_knowledge(
            stage.cosmos, DATABASE, settings=settings_of(stage), folder=tmp_path
        )
        assert again == count
        assert stage.model.embeddings.requests == []
        second = await stage.retriever().search("my wallet is gone", collection="faq", top_k=3)
    assert [one.title for one in second] == [one.title for one in first]
    assert second[0].title == "What should I do if my card is lost or stolen?"

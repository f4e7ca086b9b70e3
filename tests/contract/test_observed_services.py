"""Dependencies show up as such: who was asked, whether it went well, and no word of what about."""

import pytest

from shared.errors import UpstreamError
from shared.records.documents import Document
from shared.telemetry import names
from shared.telemetry.tracing import span
from simulator.model import Fault
from tests.contract.cosmos_stage import connected_documents, running_account
from tests.contract.embedding_stage import embeddings_of
from tests.contract.model_stage import running_server
from tests.unit.span_fakes import traced

SECRET = "only the caller knows"


async def test_database_is_a_dependency_of_what_uses_it() -> None:
    """Within a turn each call has a span; looking whether the database is well has none."""
    async with running_account() as account, connected_documents(account) as documents:
        with traced() as told:
            await documents.create(Document("customers", "p-1", "c-0", {"note": SECRET}))
            assert told.ended == []
            with span("turn"):
                await documents.create(Document("customers", "p-1", "c-1", {"note": SECRET}))
                await documents.read("customers", "p-1", "missing")
    done, missing, _ = told.ended
    assert (done.name, done.kind.name, told.parent_of(done)) == ("cosmos", "CLIENT", "turn")
    assert dict(done.attributes or {}) == {
        names.PEER: "Azure Cosmos DB",
        names.DB_SYSTEM: "cosmosdb",
    }
    assert missing.attributes == done.attributes  # an answer, and no failure
    assert SECRET not in str([one.to_json() for one in told.ended])


async def test_embeddings_are_a_request_to_a_model() -> None:
    """By the names of OpenTelemetry, also when the service fails."""
    async with running_server() as server, embeddings_of(server) as embeddings:
        with traced() as told, span("turn"):
            await embeddings.embed([SECRET], deadline_s=60)
            server.embeddings.faults.extend([Fault("error"), Fault("error")])
            with pytest.raises(UpstreamError):
                await embeddings.embed([SECRET], deadline_s=60)
    done, failed, _ = told.ended
    facts = dict(done.attributes or {})
    assert done.name == f"embeddings {facts[names.GEN_AI_REQUEST_MODEL]}"
    assert facts[names.GEN_AI_OPERATION] == "embeddings"
    assert names.ERROR_TYPE not in facts
    assert names.ERROR_TYPE in dict(failed.attributes or {})
    assert SECRET not in str([one.to_json() for one in told.ended])

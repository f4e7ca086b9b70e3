"""Transactional batches: operations on one partition, all of them or none."""

from typing import Any

from simulator.cosmos.call import Answer, Call
from simulator.cosmos.containers import Container, Item
from simulator.cosmos.draft import Conditions, Draft
from simulator.cosmos.errors import CosmosError, Json, bad_request
from simulator.cosmos.store import Store

MAX_OPERATIONS = 100
MAX_BATCH_BYTES = 2 * 1024 * 1024
_FAILED_DEPENDENCY = 424


def run_batch(store: Store, container: Container, call: Call) -> Answer:
    """Do all of them; or none, and say which one could not be done."""
    operations = call.json()
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise bad_request("A batch is a list of operations.")
    if not 1 <= len(operations) <= MAX_OPERATIONS:
        raise bad_request(f"Batch request has more operations than {MAX_OPERATIONS}, or none.")
    if len(call.content) > MAX_BATCH_BYTES:
        raise CosmosError(413, "Request size is too large")
    if not call.is_set("x-ms-cosmos-batch-atomic"):
        raise bad_request("Only atomic batches are supported.")
    draft = store.draft(container, call.required_partition)
    results: list[Json] = []
    for operation in operations:
        try:
            results.append(_run(draft, operation))
        except CosmosError as err:
            return _failed(len(operations), len(results), err)
    store.keep(draft)
    return Answer(200, results, charge=sum(each["requestCharge"] for each in results))


def _run(draft: Draft, operation: Json) -> Json:
    kind, item_id, body = (operation.get(key) for key in ("operationType", "id", "resourceBody"))
    conditions = Conditions(operation.get("ifMatch"), operation.get("ifNoneMatch"))
    if kind in {"Create", "Upsert", "Replace", "Patch"} and not isinstance(body, dict):
        raise bad_request("The operation needs a resourceBody.")
    if kind in {"Read", "Replace", "Patch", "Delete"} and not isinstance(item_id, str):
        raise bad_request("The operation needs an id.")
    match kind:
        case "Create":
            return _result(201, draft.create(_dict(body), conditions))
        case "Upsert":
            return _result(200, draft.upsert(_dict(body), conditions))
        case "Replace":
            return _result(200, draft.replace(str(item_id), _dict(body), conditions))
        case "Patch":
            return _result(200, draft.patch(str(item_id), _dict(body), conditions))
        case "Read":
            return _result(200, draft.find(str(item_id)))
        case "Delete":
            draft.delete(str(item_id), conditions)
            return _result(204, None)
        case _:
            raise bad_request("The operationType is unknown.")


def _dict(body: Any) -> Json:
    return dict(body)


def _result(status: int, item: Item | None) -> Json:
    result: Json = {"statusCode": status, "requestCharge": 5.7}
    if item is not None:
        result |= {"eTag": item.etag, "resourceBody": item.body}
    return result


def _failed(count: int, index: int, error: CosmosError) -> Answer:
    results: list[Json] = [{"statusCode": _FAILED_DEPENDENCY, "requestCharge": 0}] * count
    results[index] = {"statusCode": error.status, "requestCharge": 1.0}
    if error.substatus is not None:
        results[index]["subStatusCode"] = error.substatus
    return Answer(207, results)

"""What each request does, and what it answers."""

from collections.abc import Callable, Mapping

from simulator.cosmos.batch import run_batch
from simulator.cosmos.call import Answer, Call
from simulator.cosmos.containers import Container, Item
from simulator.cosmos.draft import Conditions, Draft
from simulator.cosmos.errors import CosmosError, Json, left_out
from simulator.cosmos.feeds import list_items, query_items
from simulator.cosmos.store import Store

Route = Callable[[Store, Call], Answer]

_REGION = "Simulator"


def answer(store: Store, call: Call) -> Answer:
    """Do what a request asks for.

    Raises:
        CosmosError: It is refused.
    """
    shape = "/".join(call.segments[::2])
    if len(call.segments) % 2 == 0 and call.segments:
        shape += "/*"
    routes = _ROUTES.get(shape)
    if routes is None:
        raise left_out(f"requests for {shape}")
    route = routes.get(call.method)
    if route is None:
        raise CosmosError(405, "The requested verb is not supported.")
    return route(store, call)


def _get_account(_store: Store, call: Call) -> Answer:
    location = [{"name": _REGION, "databaseAccountEndpoint": call.base_url}]
    body = {
        "_self": "",
        "id": "simulator",
        "_rid": "simulator",
        "media": "//media/",
        "addresses": "//addresses/",
        "_dbs": "//dbs/",
        "writableLocations": location,
        "readableLocations": location,
        "enableMultipleWriteLocations": False,
        "userConsistencyPolicy": {"defaultConsistencyLevel": "Strong"},
        "userReplicationPolicy": {"minReplicaSetSize": 1, "maxReplicasetSize": 4},
        "systemReplicationPolicy": {"minReplicaSetSize": 1, "maxReplicasetSize": 4},
        "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
        "queryEngineConfiguration": "{}",
    }
    return Answer(200, body, charge=0.0)


def _list_databases(store: Store, _call: Call) -> Answer:
    found = list(store.databases.values())
    return Answer(200, {"_rid": "", "Databases": found, "_count": len(found)})


def _post_database(store: Store, call: Call) -> Answer:
    if call.operation != "create":
        raise left_out("queries of databases")
    return _resource(201, store.create_database(call.json_object()))


def _get_database(store: Store, call: Call) -> Answer:
    return _resource(200, store.database(call.segments[1]))


def _delete_database(store: Store, call: Call) -> Answer:
    store.delete_database(call.segments[1])
    return Answer(204)


def _list_containers(store: Store, call: Call) -> Answer:
    database = store.database(call.segments[1])
    found = [
        each.properties for key, each in store.containers.items() if key[0] == call.segments[1]
    ]
    body = {"_rid": database["_rid"], "DocumentCollections": found, "_count": len(found)}
    return Answer(200, body)


def _post_container(store: Store, call: Call) -> Answer:
    if call.operation != "create":
        raise left_out("queries of containers")
    return _resource(201, store.create_container(call.segments[1], call.json_object()).properties)


def _get_container(store: Store, call: Call) -> Answer:
    return _resource(200, store.container(*_container_names(call)).properties)


def _put_container(store: Store, call: Call) -> Answer:
    changed = store.replace_container(*_container_names(call), call.json_object())
    return _resource(200, changed.properties)


def _delete_container(store: Store, call: Call) -> Answer:
    store.delete_container(*_container_names(call))
    return Answer(204)


def _get_ranges(store: Store, call: Call) -> Answer:
    container = _owner(store, call)
    if call.headers.get("if-none-match"):
        return Answer(304, headers={"etag": '"ranges"'})
    only = {"id": "0", "minInclusive": "", "maxExclusive": "FF", "status": "online", "parents": []}
    body = {"_rid": container.properties["_rid"], "PartitionKeyRanges": [only], "_count": 1}
    return Answer(200, body, {"etag": '"ranges"'})


def _post_documents(store: Store, call: Call) -> Answer:
    container = _owner(store, call)
    operation = call.operation
    if operation == "plan":
        raise left_out("TOP, ORDER BY, OFFSET and aggregates over several partitions")
    if operation == "query":
        return query_items(container, call, store.now())
    if operation == "batch":
        return _written(run_batch(store, container, call), container)
    draft = store.draft(container, call.required_partition)
    if operation == "create":
        return _changed(store, draft, draft.create(call.json_object(), _conditions(call)), 201)
    is_new = container.find(draft.partition, str(call.json_object().get("id")), draft.now_s) is None
    item = draft.upsert(call.json_object(), _conditions(call))
    return _changed(store, draft, item, 201 if is_new else 200)


def _list_documents(store: Store, call: Call) -> Answer:
    return list_items(_owner(store, call), call, store.now())


def _get_document(store: Store, call: Call) -> Answer:
    container = _owner(store, call)
    item = store.draft(container, call.required_partition).find(call.segments[5])
    if call.headers.get("if-none-match") == item.etag:
        return Answer(304, headers={"etag": item.etag})
    return _written(Answer(200, item.body, {"etag": item.etag}), container)


def _put_document(store: Store, call: Call) -> Answer:
    draft = store.draft(_owner(store, call), call.required_partition)
    item = draft.replace(call.segments[5], call.json_object(), _conditions(call))
    return _changed(store, draft, item, 200)


def _patch_document(store: Store, call: Call) -> Answer:
    draft = store.draft(_owner(store, call), call.required_partition)
    item = draft.patch(call.segments[5], call.json_object(), _conditions(call))
    return _changed(store, draft, item, 200)


def _delete_document(store: Store, call: Call) -> Answer:
    container = _owner(store, call)
    draft = store.draft(container, call.required_partition)
    draft.delete(call.segments[5], _conditions(call))
    store.keep(draft)
    return _written(Answer(204, charge=5.7), container)


_ROUTES: Mapping[str, Mapping[str, Route]] = {
    "": {"GET": _get_account},
    "dbs": {"GET": _list_databases, "POST": _post_database},
    "dbs/*": {"GET": _get_database, "DELETE": _delete_database},
    "dbs/colls": {"GET": _list_containers, "POST": _post_container},
    "dbs/colls/*": {"GET": _get_container, "PUT": _put_container, "DELETE": _delete_container},
    "dbs/colls/pkranges": {"GET": _get_ranges},
    "dbs/colls/docs": {"GET": _list_documents, "POST": _post_documents},
    "dbs/colls/docs/*": {
        "GET": _get_document,
        "PUT": _put_document,
        "PATCH": _patch_document,
        "DELETE": _delete_document,
    },
}


def _container_names(call: Call) -> tuple[str, str]:
    return (call.segments[1], call.segments[3])


def _owner(store: Store, call: Call) -> Container:
    return store.container(*_container_names(call), is_owner=True)


def _conditions(call: Call) -> Conditions:
    return Conditions(call.headers.get("if-match"), call.headers.get("if-none-match"))


def _resource(status: int, properties: Json) -> Answer:
    return Answer(status, properties, {"etag": properties["_etag"]}, charge=2.0)


def _changed(store: Store, draft: Draft, item: Item, status: int) -> Answer:
    store.keep(draft)
    return _written(Answer(status, item.body, {"etag": item.etag}, charge=5.7), draft.container)


def _written(answer: Answer, container: Container) -> Answer:
    """The answer, with how far the container's log is."""
    number = container.writes_total
    headers = {**answer.headers, "x-ms-session-token": f"0:-1#{number}", "lsn": str(number)}
    return Answer(answer.status, answer.body, headers, answer.charge)

"""Feeds: what queries and lists answer, page by page."""

import base64
import binascii
import hashlib
import json
from typing import Any

from simulator.cosmos.call import Answer, Call
from simulator.cosmos.containers import Container
from simulator.cosmos.errors import Json, bad_request, left_out
from simulator.cosmos.query import Query, Row, build_query

PAGE_ITEMS = 100
MAX_PAGE_ITEMS = 1000


def query_items(container: Container, call: Call, now_s: float) -> Answer:
    """The next page of a query."""
    body = call.json_object()
    text, parameters = body.get("query"), body.get("parameters") or []
    if not isinstance(text, str):
        raise bad_request("A query is a text.")
    values = {each["name"]: each.get("value") for each in parameters}
    if not all(str(name).startswith("@") for name in values):
        raise bad_request("The name of a parameter begins with @.")
    is_cross_partition = call.partition is None
    if is_cross_partition and not call.is_set("x-ms-documentdb-query-enablecrosspartition"):
        raise bad_request(
            "Cross partition query is required but disabled. Please set"
            " x-ms-documentdb-query-enablecrosspartition to true, specify"
            " x-ms-documentdb-partitionkey, or revise your query to avoid this exception."
        )
    query = build_query(text, values, container.schema, is_cross_partition=is_cross_partition)
    return _page(container, call, query, now_s, seed=call.content)


def list_items(container: Container, call: Call, now_s: float) -> Answer:
    """The next page of everything."""
    if "a-im" in call.headers:
        raise left_out("the change feed")
    query = build_query("SELECT * FROM c", {}, container.schema)
    return _page(container, call, query, now_s, seed=b"")


def _page(container: Container, call: Call, query: Query, now_s: float, *, seed: bytes) -> Answer:
    """The page that the continuation asks for.

    Rows in the order of their items go on after the last item, so that none is missed when some
    are deleted between two pages; others go on after so many rows.
    """
    fingerprint = hashlib.sha256(seed).hexdigest()[:16]
    mark = _read_token(call.headers.get("x-ms-continuation"), fingerprint)
    items = container.items(call.partition, now_s)
    size, given = _page_items(call), mark.get("given", 0)
    if query.is_in_item_order:
        after = mark.get("after", 0)
        rows = query.run(pair for pair in items if pair[0] > after)
        rows = rows if query.take is None else rows[: max(query.take - given, 0)]
    else:
        rows = query.run(items)[given:]
    page, rest = rows[:size], rows[size:]
    headers = {"x-ms-item-count": str(len(page))}
    if rest:
        headers["x-ms-continuation"] = _write_token(page, given + len(page), fingerprint)
    documents = [row for _, row in page]
    body = {
        "_rid": container.properties["_rid"],
        "Documents": documents,
        "_count": len(documents),
    }
    return Answer(200, body, headers, charge=2.3 + 0.05 * len(page))


def _page_items(call: Call) -> int:
    text = call.headers.get("x-ms-max-item-count", "-1")
    try:
        size = int(text)
    except ValueError as err:
        raise bad_request("The page size is not a number.") from err
    if size == -1:
        return PAGE_ITEMS
    if not 1 <= size <= 2**31:
        raise bad_request("The page size is invalid.")
    return min(size, MAX_PAGE_ITEMS)


def _write_token(page: list[Row], given: int, fingerprint: str) -> str:
    mark: Json = {"of": fingerprint, "after": page[-1][0], "given": given}
    return base64.b64encode(json.dumps(mark).encode()).decode()


def _read_token(token: str | None, fingerprint: str) -> Json:
    if token is None:
        return {}
    try:
        mark: Any = json.loads(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError) as err:
        raise bad_request("Invalid Continuation Token") from err
    if not isinstance(mark, dict) or mark.get("of") != fingerprint:
        raise bad_request("Invalid Continuation Token")
    return mark

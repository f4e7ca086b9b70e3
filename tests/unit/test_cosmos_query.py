"""The query language of the Cosmos DB stand-in: what each expression makes of an item."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cosmos.errors import CosmosError
from simulator.cosmos.grammar import parse_query
from simulator.cosmos.indexing import DEFAULT_POLICY, is_indexed
from simulator.cosmos.query import Schema, build_query
from simulator.cosmos.values import sort_key
from simulator.cosmos.vectors import MEASURES, VectorPath

ITEM: dict[str, Any] = {
    "id": "a",
    "n": 3,
    "half": 2.5,
    "text": "Hello",
    "yes": True,
    "no": False,
    "nothing": None,
    "tags": ["x", 1, {"k": "v", "w": 2}],
    "deep": {"order": {"k": [10, 20]}},
    "v": [1.0, 0.0],
}
POLICY = {
    **DEFAULT_POLICY,
    "compositeIndexes": [
        [{"path": "/a", "order": "ascending"}, {"path": "/b", "order": "descending"}]
    ],
}
SCHEMA = Schema(POLICY, {("v",): VectorPath(("v",), 2, "cosine")})


def selected(query: str, *items: dict[str, Any], **parameters: Any) -> list[Any]:
    """The rows of a query over *items*."""
    named = {f"@{name}": value for name, value in parameters.items()}
    numbered = list(enumerate(items or (ITEM,)))
    return [row for _, row in build_query(query, named, SCHEMA).run(numbered)]


def value_of(expression: str, **parameters: Any) -> Any:
    """What an expression makes of the item; the text ``undefined`` if nothing."""
    rows = selected(f"SELECT VALUE {expression} FROM c", **parameters)
    return rows[0] if rows else "undefined"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("c.n", 3),
        ("c.tags[1]", 1),
        ('c["deep"]["order"].k[1]', 20),
        ("c.deep.k", "undefined"),
        ("c.tags[9]", "undefined"),
        ("c.n.x", "undefined"),
        ("1.5e2", 150.0),
        (".5", 0.5),
        ("'it''s'", None),
        ("'it\\'s \"so\"'", 'it\'s "so"'),
        ('"tab\\t\\u00e9"', "tab\té"),
        ("[1, c.n, c.none]", [1, 3]),
        ("{'k': c.n, 'gone': c.none}", {"k": 3}),
        ("c.n + 2 * 3 - 4 / 2", 7.0),
        ("(c.n + 2) * 3", 15),
        ("c.n % 2", 1),
        ("-c.n", -3),
        ("c.n / 0", "undefined"),
        ("c.n + c.text", "undefined"),
        ("c.text || ' you'", "Hello you"),
        ("c.text || 1", "undefined"),
    ],
)
def test_expression_has_a_value(expression: str, value: Any) -> None:
    """Undefined is no value: in arrays and objects it is left out."""
    if value is None:  # doubled quotes are SQL's, not this language's
        with pytest.raises(CosmosError):
            value_of(expression)
    else:
        assert value_of(expression) == value


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("c.n = 3", True),
        ("c.n = 3.0", True),
        ("c.n = '3'", "undefined"),
        ("c.yes = 1", "undefined"),
        ("c.nothing = null", True),
        ("c.none = null", "undefined"),
        ("c.none != 1", "undefined"),
        ("c.n <> 4", True),
        ("c.tags = ['x', 1, {'w': 2, 'k': 'v'}]", True),
        ("c.tags = ['x', true, {'w': 2, 'k': 'v'}]", False),
        ("c.text > 'Hallo'", True),
        ("c.n < 'a'", "undefined"),
        ("c.tags < [1]", "undefined"),
        ("c.n >= 3 AND c.n <= 3", True),
        ("c.none = 1 AND c.no", False),
        ("c.none = 1 AND c.yes", "undefined"),
        ("c.none = 1 OR c.yes", True),
        ("c.none = 1 OR c.no", "undefined"),
        ("c.yes OR c.yes AND c.no", True),
        ("NOT c.yes", False),
        ("NOT c.n", "undefined"),
        ("NOT c.none", "undefined"),
        ("c.n IN (1, 2, 3)", True),
        ("c.n IN ('3')", False),
        ("c.n NOT IN (1, @x)", True),
        ("c.none IN (1)", "undefined"),
        ("c.n BETWEEN 1 AND 3 AND c.yes", True),
        ("c.n BETWEEN 4 AND 'x'", False),
        ("c.text BETWEEN 1 AND 3", "undefined"),
    ],
)
def test_condition_knows_three_answers(condition: str, value: Any) -> None:
    """Values of two types are neither equal nor unequal; only true selects."""
    assert value_of(condition, x=2) == value
    assert len(selected(f"SELECT * FROM c WHERE {condition}", x=2)) == (value is True)


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("IS_DEFINED(c.none)", False),
        ("is_defined(c.nothing)", True),
        ("IS_NULL(c.nothing)", True),
        ("IS_NULL(c.none)", False),
        ("IS_NUMBER(c.yes)", False),
        ("IS_BOOL(c.yes)", True),
        ("IS_STRING(c.text)", True),
        ("IS_ARRAY(c.tags)", True),
        ("IS_OBJECT(c.deep)", True),
        ("STARTSWITH(c.text, 'he')", False),
        ("STARTSWITH(c.text, 'he', true)", True),
        ("ENDSWITH(c.text, 'lo')", True),
        ("CONTAINS(c.text, 'ELL', true)", True),
        ("CONTAINS(c.n, '3')", "undefined"),
        ("STRINGEQUALS(c.text, 'hello', true)", True),
        ("LOWER(c.text)", "hello"),
        ("UPPER(c.none)", "undefined"),
        ("TRIM(' a ')", "a"),
        ("LENGTH(c.text)", 5),
        ("CONCAT(c.text, '!', '?')", "Hello!?"),
        ("SUBSTRING(c.text, 1, 3)", "ell"),
        ("ARRAY_CONTAINS(c.tags, 'x')", True),
        ("ARRAY_CONTAINS(c.tags, {'k': 'v'})", False),
        ("ARRAY_CONTAINS(c.tags, {'k': 'v'}, true)", True),
        ("ARRAY_CONTAINS(c.text, 'H')", "undefined"),
        ("ARRAY_LENGTH(c.tags)", 3),
        ("ABS(-2)", 2),
        ("FLOOR(c.half)", 2),
        ("CEILING(c.half)", 3),
        ("ROUND(c.half)", 3),
        ("ROUND(-2.5)", -3),
    ],
)
def test_function_has_a_value(call: str, value: Any) -> None:
    """The ones that the stand-in knows; of the wrong type they are undefined, never an error."""
    assert value_of(call) == value


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT c.id, c.deep.order.k FROM c", None),
        ('SELECT c.id, c.deep["order"].k FROM c', [{"id": "a", "k": [10, 20]}]),
        ("SELECT c.n AS number, c.none, 1 + 1, c.n * 2 FROM c", [{"number": 3, "$1": 2, "$2": 6}]),
        ("SELECT c FROM c", [{"c": ITEM}]),
        ("SELECT r.n FROM root r", [{"n": 3}]),
        ("SELECT r.n FROM root AS r -- a comment", [{"n": 3}]),
        ("SELECT VALUE c.none FROM c", []),
        ("select value c.n from c where c.yes", [3]),
        ("SELECT TOP 0 * FROM c", []),
        ("SELECT TOP @one VALUE c.n FROM c", [3]),
        ("SELECT VALUE c.n FROM c OFFSET @one LIMIT 5", []),
    ],
)
def test_selection_shapes_the_rows(query: str, rows: Any) -> None:
    """A word of the language is no name of a field, but in brackets."""
    if rows is None:
        with pytest.raises(CosmosError, match="near 'order'"):
            selected(query, one=1)
    else:
        assert selected(query, one=1) == rows


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("COUNT(1)", [3]),
        ("COUNT(c.x)", [2]),
        ("SUM(c.n)", [6]),
        ("AVG(c.n)", [2]),
        ("MIN(c.n)", [1]),
        ("MAX(c.n)", [3]),
        ("SUM(c.x)", []),
        ("AVG(c.none)", []),
        ("MAX(c.none)", []),
    ],
)
def test_aggregate_folds_all_rows_into_one(call: str, value: list[Any]) -> None:
    """What is not all numbers has no sum."""
    items: list[dict[str, Any]] = [{"n": 1, "x": 1}, {"n": 2, "x": "a"}, {"n": 3}]
    assert selected(f"SELECT VALUE {call} FROM c", *items) == value


def test_order_goes_by_type_first() -> None:
    """Missing, null, booleans, numbers, texts: whatever is in the field, there is an order."""
    values = ["b", 2, None, True, "a", 1.5, False]
    items = [{"id": str(n), "x": value} for n, value in enumerate(values)] + [{"id": "none"}]
    found = selected("SELECT * FROM c ORDER BY c.x", *items)
    assert [each.get("x", "missing") for each in found] == [
        *("missing", None, False, True, 1.5, 2, "a", "b")
    ]
    backwards = selected("SELECT * FROM c ORDER BY c.x DESC", *items)
    assert backwards == found[::-1]


def test_order_by_several_fields_needs_their_index() -> None:
    """In its directions or in all of the opposite ones, nothing else."""
    items = [{"a": a, "b": b} for a in (1, 2) for b in (1, 2)]
    found = selected("SELECT VALUE [c.a, c.b] FROM c ORDER BY c.a, c.b DESC", *items)
    assert found == [[1, 2], [1, 1], [2, 2], [2, 1]]
    opposite = selected("SELECT VALUE [c.a, c.b] FROM c ORDER BY c.a DESC, c.b ASC", *items)
    assert opposite == found[::-1]
    with pytest.raises(CosmosError, match="composite index"):
        selected("SELECT * FROM c ORDER BY c.a, c.b", *items)


@pytest.mark.parametrize(
    ("path", "policy", "expected"),
    [
        (("a",), {}, True),
        (("_etag",), {}, False),
        (("a", "b"), {"excludedPaths": [{"path": "/a/*"}]}, False),
        (("a", "b"), {"excludedPaths": [{"path": "/a/?"}]}, True),
        (
            ("a", "b"),
            {"excludedPaths": [{"path": "/*"}], "includedPaths": [{"path": "/a/b/?"}]},
            True,
        ),
        (("a",), {"excludedPaths": [{"path": "/*"}], "includedPaths": []}, False),
        (("a",), {"indexingMode": "none"}, False),
    ],
)
def test_longest_pattern_decides_what_is_indexed(
    path: tuple[str, ...], policy: dict[str, Any], expected: bool
) -> None:
    """As the service documents it."""
    assert is_indexed({**DEFAULT_POLICY, **policy}, path) is expected


@pytest.mark.parametrize(
    ("measure", "nearest"), [("cosine", "long"), ("dotproduct", "long"), ("euclidean", "close")]
)
def test_distance_is_measured_as_the_container_says(measure: str, nearest: str) -> None:
    """The most similar first: the least distance, or the greatest likeness."""
    schema = Schema(DEFAULT_POLICY, {("v",): VectorPath(("v",), 2, measure)})
    items = [{"id": "close", "v": [1.0, 0.5]}, {"id": "long", "v": [9.0, 0.0]}]
    text = "SELECT TOP 1 VALUE c.id FROM c ORDER BY VectorDistance(c.v, @v)"
    query = build_query(text, {"@v": [1.0, 0.0]}, schema)
    assert [row for _, row in query.run(list(enumerate(items)))] == [nearest]


def test_distance_may_be_measured_otherwise() -> None:
    """A query can name a function of its own."""
    call = "VectorDistance(c.v, [4, 4], true, {'distanceFunction': 'euclidean'})"
    assert value_of(call) == 5.0
    with pytest.raises(CosmosError, match="distance function"):
        value_of("VectorDistance(c.v, [4, 4], true, {'distanceFunction': 'miles'})")


@given(st.lists(st.integers(-100, 100), min_size=2, max_size=5))
def test_cosine_is_one_for_a_vector_and_itself(parts: list[int]) -> None:
    """Whatever its length; the null vector is like nothing."""
    value = MEASURES["cosine"](parts, parts)
    assert value == pytest.approx(1.0 if any(parts) else 0.0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


@given(JSON)
def test_parameter_comes_through_as_it_is(value: Any) -> None:
    """Nothing in a value is taken for language."""
    assert selected("SELECT VALUE @value FROM c", value=value) == [value]
    assert value_of("@value = @value", value=value) is True


@given(st.lists(JSON, max_size=6))
def test_any_values_can_be_sorted(values: list[Any]) -> None:
    """An order for all of them, so that no query fails over its data."""
    keys = sorted(map(sort_key, values))
    assert all(before <= after for before, after in pairwise(keys))


@given(st.text(max_size=40))
def test_any_text_is_a_query_or_a_refusal(text: str) -> None:
    """Never an error of the stand-in itself."""
    try:
        parse_query(text)
    except CosmosError as err:
        assert err.status == 400

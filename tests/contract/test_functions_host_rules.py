"""Schedules, routes and host.json, as the host reads them."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.functions_host.configuration import ConfigurationError, read_host_json
from simulator.functions_host.indexing import FunctionRejectedError
from simulator.functions_host.routes import RouteError, compile_route, find
from simulator.functions_host.timers import next_occurrence


def test_timer_schedule_is_ncrontab_in_utc() -> None:
    """Seconds come first, and day of month and day of week must both match, unlike in cron."""
    after = datetime(2026, 1, 1, tzinfo=UTC)
    friday_13th = datetime(2026, 2, 13, 9, 0, 30, tzinfo=UTC)
    assert next_occurrence("30 0 9 13 * 5", after) == friday_13th
    assert next_occurrence("*/15 * * * * *", after) == datetime(2026, 1, 1, 0, 0, 15, tzinfo=UTC)


def test_timer_refuses_what_is_no_schedule() -> None:
    """A typing error in a schedule must be seen at start, not at the hour."""
    with pytest.raises(FunctionRejectedError, match="is not valid"):
        next_occurrence("every second", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [('"00:05:00"', 300.0), ('"1.00:00:10"', 86410.0), ('"-1"', float("inf")), ("null", 1800.0)],
)
def test_function_timeout_is_read_from_host_json(tmp_path: Path, text: str, seconds: float) -> None:
    """A call that hangs is given up after this long, so it must be the app's own figure."""
    (tmp_path / "host.json").write_text(f'{{"functionTimeout": {text}}}', encoding="utf-8")
    assert read_host_json(tmp_path).function_timeout_s == seconds


@pytest.mark.parametrize("text", ["[]", "not json", '{"functionTimeout": "soon"}'])
def test_malformed_host_json_is_an_error_of_its_own(tmp_path: Path, text: str) -> None:
    """The host refuses to start with a configuration it does not understand."""
    (tmp_path / "host.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"host\.json"):
        read_host_json(tmp_path)


@pytest.mark.parametrize("template", ["a/{b:money}", "a/x{b}", "Runtime/x"])
def test_route_the_host_cannot_serve_is_refused(template: str) -> None:
    """Better an error at start than a route that never matches."""
    with pytest.raises(RouteError):
        compile_route("f", template, [], "api")


@given(values=st.lists(st.text(min_size=1, max_size=8), min_size=2, max_size=2))
def test_route_parameters_come_back_as_they_were_sent(values: list[str]) -> None:
    """Whatever a client puts into a segment, encoded, reaches the function decoded."""
    first, second = values
    route = compile_route("f", "a/{one}/{two?}", ["GET"], "api")
    path = f"/api/a/{quote(first, safe='')}/{quote(second, safe='')}"
    match = find([route], "get", path)
    assert match is not None
    # An encoded slash is the exception: ASP.NET leaves it encoded.
    assert match.params == {
        "one": first.replace("/", "%2F"),
        "two": second.replace("/", "%2F"),
    }
    shorter = find([route], "GET", f"/api/a/{quote(first, safe='')}")
    assert shorter is not None
    assert shorter.params == {"one": first.replace("/", "%2F")}

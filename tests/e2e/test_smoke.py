"""The smoke test itself, against the app on the stand-ins."""

from typing import Any

import pytest

from infra.preflight.live import AzError
from infra.smoke import Keys, main, read_keys, smoke
from simulator.stack import Plan, Stack
from tests.e2e.calls import QUICK


async def test_smoke_passes_on_an_app_that_works_and_on_no_other() -> None:
    """Alive, shut, a call as far as ACS; wrong keys open nothing, and the failures say so."""
    async with Stack(Plan(pace=QUICK)) as stack:
        url = stack.front_door.url
        right = Keys(function=stack.function_key, event_grid=stack.system_key)
        wrong = Keys(function="wrong-key", event_grid="wrong-key")
        outcomes = await smoke(url, right)
        anonymous = await smoke(url, None)
        refused = [one for one in await smoke(url, wrong) if not one.is_well]
    assert [one for one in (*outcomes, *anonymous) if not one.is_well] == []
    assert (len(outcomes), len(anonymous)) == (8, 6)
    assert outcomes[-1].found == "taken, tried to answer, over: not_connected"
    assert "answer" in [one.operation for one in stack.acs.requests]
    assert [one.name for one in refused] == ["what the instance holds", "a synthetic call"]
    assert [one.found for one in refused] == ["401 instead of 200", "401 instead of 202"]


async def test_smoke_fails_where_nothing_answers() -> None:
    """Every check fails, none hangs."""
    outcomes = await smoke("http://127.0.0.1:9", None)
    assert not any(one.is_well for one in outcomes)


def test_smoke_reads_the_keys_of_a_deployed_app() -> None:
    """As the Azure CLI prints them; without them it does not pretend to have looked."""

    def az(arguments: list[str]) -> Any:
        assert arguments[:3] == ["functionapp", "keys", "list"]
        return {"functionKeys": {"default": "f"}, "systemKeys": {"eventgrid_extension": "e"}}

    assert read_keys("group", "app", az) == Keys(function="f", event_grid="e")
    with pytest.raises(AzError, match="is it deployed"):
        read_keys("group", "app", lambda _: {"functionKeys": {}})


def test_smoke_says_why_it_has_no_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the Azure CLI is not there or not logged in, the reason is the last line."""

    def az(arguments: list[str]) -> Any:
        raise AzError("the Azure CLI is missing")

    assert main(["http://127.0.0.1:9", "--group", "group", "--app", "app"], az) == 1
    assert "FAILED  keys: the Azure CLI is missing" in capsys.readouterr().out

"""What staff finds when a call is over, from the API and from the database."""

import asyncio
from dataclasses import replace
from typing import Any

from simulator.app_client import AppClient
from simulator.cosmos import Fault
from simulator.stack import Plan, Stack
from tests.e2e.calls import LIMIT_S, QUICK, look, play

PLAN = Plan(pace=QUICK)
LINES = ("I'm Emily Rivera, the last four are 1234.", "What is your fee refund policy?")


async def report_of(app: AppClient, session_id: str) -> dict[str, Any]:
    """The report, as soon as it is summed up."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            report: dict[str, Any] = await app.get(f"/api/sessions/{session_id}/report")
            if report["summary"]:
                return report


async def archived(stack: Stack, app: AppClient, session_id: str) -> list[dict[str, Any]]:
    """What the database holds of the session, as soon as it holds something."""
    container = stack.cosmos.store.container(stack.database, "calls")
    async with asyncio.timeout(LIMIT_S):
        while not (items := container.items(None, stack.cosmos.store.now())):
            await app.get(f"/api/sessions/{session_id}/report")
    return [body for _, body in items if body["id"] == session_id]


async def test_report_of_a_call_is_written_when_it_is_over() -> None:
    """Summary, words, tools and times; in the database the same, once; and a page to read."""
    async with Stack(PLAN) as stack, AppClient(stack) as app:
        session = await look(stack, app, await play(stack, LINES))
        report = await report_of(app, session["session_id"])
        status, page = await app.request(
            "GET", f"/api/sessions/{session['session_id']}/report?format=html"
        )
        wrong, problem = await app.request(
            "GET", f"/api/sessions/{session['session_id']}/report?format=pdf"
        )
        (kept,) = await archived(stack, app, session["session_id"])
    assert report["summary"]["status"] == "ok"
    assert LINES[1] in [one["text"] for one in report["transcript"]]
    assert report["tools"][0]["name"] == "verify_client_identity"
    assert (kept["summary"], kept["transcript"]) == (report["summary"], report["transcript"])
    assert status == 200
    assert LINES[1] in page
    assert (wrong, "format" in problem["detail"]) == (400, True)


async def test_report_is_written_later_when_the_database_is_away() -> None:
    """The end of the call is not lost with the first attempt: the sweeper makes the next one."""
    settings = {"LEASE_S": "5", "TURN_TIMEOUT_S": "4.9", "SWEEP_SCHEDULE": "* * * * * *"}
    async with (
        Stack(replace(PLAN, settings={**settings, "SWEEP_PERIOD_S": "1"})) as stack,
        AppClient(stack) as app,
    ):
        stack.cosmos.inject(*[Fault("error", "create")] * 4)
        session = await look(stack, app, await play(stack, LINES[:1]))
        (kept,) = await archived(stack, app, session["session_id"])
        left = [one for one in stack.cosmos.faults.waiting if one.operation == "create"]
    assert (kept["outcome"], left) == ("caller_left", [])

"""Event Grid, timers and warm-up reach an app through the host as they do on the platform."""

import aiohttp
import pytest

from tests.contract.functions_host_stage import (
    WEBHOOK,
    StartHost,
    deliver,
    event,
)

pytest_plugins = ("tests.contract.host_and_grid_fixtures",)


async def test_event_grid_runs_one_execution_per_event_at_the_same_time(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """Each of three events waits for the other two: one after the other would never end."""
    host = await start_host()
    assert await deliver(http, host, [event(f"e{i}", together=3) for i in range(3)]) == (202, "")
    assert await deliver(
        http, host, event("single"), WEBHOOK.replace("EventGrid", "eventgrid")
    ) == (202, "")
    async with http.get(f"{host.url}/api/seen") as answer:
        assert sorted(await answer.json()) == ["e0", "e1", "e2", "single"]


async def test_event_grid_answers_500_when_one_event_of_many_fails(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """The good events of such a body come again: that is why an event must be claimed."""
    host = await start_host()
    status, text = await deliver(http, host, [event("good"), event("bad", fail=True)])
    assert (status, text) == (500, "Exception while executing function: Functions.on_event")
    async with http.get(f"{host.url}/api/seen") as answer:
        assert sorted(await answer.json()) == ["bad", "good"]


async def test_event_grid_hands_over_cloud_events(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """The payload decides what the function gets."""
    host = await start_host()
    body = {"specversion": "1.0", "id": "c1", "source": "/s", "type": "Sample.Event", "data": {}}
    path = WEBHOOK.replace("on_event", "on_cloud_event")
    assert (await deliver(http, host, body, path))[0] == 202
    async with http.get(f"{host.url}/api/seen") as answer:
        assert await answer.json() == ["Sample.Event:c1"]


@pytest.mark.parametrize(
    ("request_line", "headers", "body", "status"),
    [
        ("POST " + WEBHOOK.replace("s-key", "f-key"), {}, "[]", 401),
        ("POST " + WEBHOOK.replace("on_event", "On_Event"), {}, "[]", 404),
        ("POST " + WEBHOOK.replace("on_event", "echo"), {}, "[]", 404),
        ("POST " + WEBHOOK, {}, "[]", 400),
        ("POST " + WEBHOOK, {"aeg-event-type": "Other"}, "[]", 400),
        ("POST " + WEBHOOK, {"aeg-event-type": "Notification"}, "not json", 400),
        ("POST " + WEBHOOK, {"aeg-event-type": "SubscriptionValidation"}, "[]", 400),
        ("POST " + WEBHOOK, {"aeg-event-type": "Unsubscribe"}, "", 202),
        ("OPTIONS " + WEBHOOK, {}, "", 400),
    ],
)
async def test_event_grid_webhook_refuses_what_the_extension_refuses(
    start_host: StartHost,
    http: aiohttp.ClientSession,
    request_line: str,
    headers: dict[str, str],
    body: str,
    status: int,
) -> None:
    """The status decides whether Event Grid tries again, so it must be the real one."""
    host = await start_host()
    method, path = request_line.split()
    async with http.request(method, host.url + path, headers=headers, data=body) as answer:
        assert answer.status == status


async def test_event_grid_handshakes_are_answered(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """Without them no subscription would come to be, in either schema."""
    host = await start_host()
    validation = [event("v", validationCode="code-1")]
    headers = {"aeg-event-type": "SubscriptionValidation"}
    async with http.post(host.url + WEBHOOK, json=validation, headers=headers) as answer:
        assert answer.status == 200
        assert await answer.json() == {"validationResponse": "code-1"}
    origin = {"WebHook-Request-Origin": "eventgrid.azure.net"}
    async with http.options(host.url + WEBHOOK, headers=origin) as answer:
        assert answer.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"


async def test_timer_runs_on_schedule_and_never_over_itself(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """A run that lasts over several occurrences is alone; afterwards the schedule goes on."""
    host = await start_host(schedule="* * * * * *")
    async with http.get(f"{host.url}/api/counts/ticks_begun/1") as answer:
        assert (await answer.json())["count"] == 1
    async with http.get(f"{host.url}/api/counts/seconds/3"):
        pass
    async with http.post(f"{host.url}/api/tick/release") as answer:
        assert (await answer.json())["begun"] == 1
    async with http.get(f"{host.url}/api/counts/ticks_ended/2") as answer:
        assert (await answer.json())["count"] >= 2


async def test_warm_up_runs_at_start_and_when_asked(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """A new instance is warmed once before traffic; the endpoint does it again."""
    host = await start_host()
    async with http.get(f"{host.url}/api/counts/warmups/1"):
        pass
    async with http.get(f"{host.url}/admin/warmup") as answer:
        assert answer.status == 200
    async with http.get(f"{host.url}/api/counts/warmups/2") as answer:
        assert (await answer.json())["count"] == 2


async def test_admin_runs_a_function_now(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """A timer is tested by running it, with the master key, without waiting for its hour."""
    host = await start_host()
    async with http.get(f"{host.url}/api/counts/starts/1"):
        pass
    run = f"{host.url}/admin/functions/on_start"
    master = {"x-functions-key": "m-key"}
    async with http.post(run, json={"input": ""}) as answer:
        assert answer.status == 401
    async with http.post(run, headers=master, data=b"") as answer:
        assert answer.status == 400
    async with http.post(run, headers=master, json={"input": ""}) as answer:
        assert answer.status == 202
    async with http.get(f"{host.url}/api/counts/starts/2") as answer:
        assert (await answer.json())["count"] == 2
    for name in ("echo", "nobody"):
        url = f"{host.url}/admin/functions/{name}"
        async with http.post(url, headers=master, json={"input": ""}) as answer:
            assert answer.status == 404

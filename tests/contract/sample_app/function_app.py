"""A small app with one function for each thing a host can do to a function."""

import asyncio
import functools
import json
import logging
import signal
import threading
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import azure.functions as func
from azure.functions.warmup import WarmUpContext

LOOP_AT_IMPORT = asyncio.get_running_loop()
THREAD_AT_IMPORT = threading.current_thread()


class Counters:
    """How often something happened, and a way to wait until it has."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._changed = asyncio.Condition()

    async def add(self, name: str, amount: int = 1) -> None:
        """Count."""
        async with self._changed:
            self._counts[name] = self._counts.get(name, 0) + amount
            self._changed.notify_all()

    async def reach(self, name: str, at_least: int) -> int:
        """Wait until *name* has been counted *at_least* times."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._counts.get(name, 0) >= at_least)
            return self._counts.get(name, 0)

    def get(self, name: str) -> int:
        """The count now."""
        return self._counts.get(name, 0)


counters = Counters()
released = asyncio.Event()
# A way in when the host no longer accepts requests.
LOOP_AT_IMPORT.add_signal_handler(signal.SIGUSR1, released.set)
tick_released = asyncio.Event()
# A way in when the host no longer accepts requests.
LOOP_AT_IMPORT.add_signal_handler(signal.SIGUSR1, released.set)
seen_events: list[str] = []

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
blueprint = func.Blueprint()

Handler = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]


def reply(document: object, status: int = 200) -> func.HttpResponse:
    """A JSON response."""
    return func.HttpResponse(json.dumps(document), status_code=status, mimetype="application/json")


def translating_errors(function: Handler) -> Handler:
    """Turn a LookupError into 404, as a boundary would."""

    @functools.wraps(function)
    async def boundary(req: func.HttpRequest) -> func.HttpResponse:
        try:
            return await function(req)
        except LookupError:
            return reply({"title": "not found"}, HTTPStatus.NOT_FOUND)

    return boundary


def _invocation_id_of_thread(context: func.Context) -> object:
    return getattr(context.thread_local_storage, "invocation_id", None)


@app.route(route="echo/{name}/{*rest}", methods=["GET", "POST"])
async def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Everything the function sees of a request and of its invocation."""
    body = req.get_body()
    return reply(
        {
            "method": req.method,
            "url": req.url,
            "headers": dict(req.headers),
            "params": dict(req.params),
            "route_params": dict(req.route_params),
            "body": body.decode(),
            "json": json.loads(body) if body else None,
            "function_name": context.function_name,
            "invocation_id": context.invocation_id,
            "thread_local_invocation_id": _invocation_id_of_thread(context),
            "trace_parent": context.trace_context.trace_parent,
            "same_loop": asyncio.get_running_loop() is LOOP_AT_IMPORT,
            "same_thread": threading.current_thread() is THREAD_AT_IMPORT,
            "main_thread": threading.current_thread() is threading.main_thread(),
        }
    )


@app.route(route="items/{id:guid}", methods=["GET"])
async def get_item(req: func.HttpRequest) -> func.HttpResponse:
    """Only a GUID comes here."""
    return reply({"function": "get_item", "id": req.route_params["id"]})


@app.route(route="items/latest", methods=["GET"])
async def get_latest_item(req: func.HttpRequest) -> func.HttpResponse:
    """A literal wins over a parameter."""
    return reply({"function": "get_latest_item"})


@app.route(route="items/{name}", methods=["GET"])
async def get_item_by_name(req: func.HttpRequest) -> func.HttpResponse:
    """Whatever is neither of the two."""
    return reply({"function": "get_item_by_name", "name": req.route_params["name"]})


@app.route(route="sync", methods=["GET"])
def get_in_thread(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """A sync function runs in a thread."""
    return reply(
        {
            "main_thread": threading.current_thread() is threading.main_thread(),
            "invocation_id": context.invocation_id,
            "thread_local_invocation_id": _invocation_id_of_thread(context),
        }
    )


@app.route(route="raise", methods=["GET"])
async def get_failure(req: func.HttpRequest) -> func.HttpResponse:
    """Fails."""
    raise RuntimeError("sample failure")


@app.route(route="raise-sync", methods=["GET"])
def get_sync_failure(req: func.HttpRequest) -> func.HttpResponse:
    """Fails in a thread."""
    raise RuntimeError("sample sync failure")


@app.route(route="none", methods=["GET"])
async def get_none(req: func.HttpRequest):  # type: ignore[no-untyped-def]
    """Forgets to answer."""
    return


@app.route(route="text", methods=["GET"])
async def get_text(req: func.HttpRequest) -> str:
    """Returns a text that the host reads as a response."""
    return json.dumps({"status": 418, "body": "short and stout"})


@app.route(route="cookies", methods=["GET"])
async def get_cookies(req: func.HttpRequest) -> func.HttpResponse:
    """Sets two cookies and a header."""
    response = func.HttpResponse(b"\x00\x01", mimetype="application/octet-stream")
    response.headers.add("Set-Cookie", "a=1; Path=/")
    response.headers.add("Set-Cookie", "b=2; HttpOnly")
    response.headers.add("X-Sample", "yes")
    return response


@app.route(route="cancelled", methods=["GET"])
async def get_cancelled(req: func.HttpRequest) -> func.HttpResponse:
    """Lets a CancelledError out."""
    raise asyncio.CancelledError


@blueprint.route(route="decorated", methods=["GET"])
@translating_errors
async def get_decorated(req: func.HttpRequest) -> func.HttpResponse:
    """Behind a decorator, in a blueprint."""
    raise LookupError


@app.route(route="wait", methods=["GET"])
async def get_when_released(req: func.HttpRequest) -> func.HttpResponse:
    """Answers once it is released."""
    logging.getLogger("sample").info("waiting", extra={"waiting_total": counters.get("waiting")})
    await counters.add("waiting")
    await released.wait()
    await counters.add("waited")
    return reply({"waited": True})


@app.route(route="keyed", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def get_keyed(req: func.HttpRequest) -> func.HttpResponse:
    """Wants the function key or the master key."""
    return reply({"keyed": True})


@app.route(route="mastered", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
async def get_mastered(req: func.HttpRequest) -> func.HttpResponse:
    """Wants the master key."""
    return reply({"mastered": True})


@app.route(route="counts/{name}/{at_least:int}", methods=["GET"])
async def get_count(req: func.HttpRequest) -> func.HttpResponse:
    """Answers once something has been counted so often."""
    reached = await counters.reach(req.route_params["name"], int(req.route_params["at_least"]))
    return reply({"count": reached})


@app.route(route="seen", methods=["GET"])
async def get_seen(req: func.HttpRequest) -> func.HttpResponse:
    """The ids of the events that came."""
    return reply(seen_events)


@app.route(route="tick/release", methods=["POST"])
async def post_tick_release(req: func.HttpRequest) -> func.HttpResponse:
    """Lets the timer function end, from now on at once."""
    begun = counters.get("ticks_begun")
    tick_released.set()
    return reply({"begun": begun})


@app.event_grid_trigger(arg_name="event")
async def on_event(event: func.EventGridEvent) -> None:
    """Counts events; fails where the event says so; meets another one where it says so."""
    data = event.get_json()
    seen_events.append(str(event.id))
    await counters.add("events")
    if data.get("release"):
        released.set()
    if data.get("fail"):
        raise ValueError("sample event failure")
    if data.get("together"):
        await counters.reach("events", data["together"])


@app.event_grid_trigger(arg_name="event")
async def on_cloud_event(event: func.CloudEvent) -> None:
    """Takes CloudEvents."""
    seen_events.append(f"{event.type}:{event.id}")


@app.timer_trigger(arg_name="timer", schedule="%TICK_SCHEDULE%", run_on_startup=False)
async def on_tick(timer: func.TimerRequest) -> None:
    """Counts, and stays in its run while it is told to."""
    assert not timer.past_due
    await counters.add("ticks_begun")
    await tick_released.wait()
    await counters.add("ticks_ended")


@app.timer_trigger(arg_name="timer", schedule="%TICK_SCHEDULE%", run_on_startup=False)
async def on_second(timer: func.TimerRequest) -> None:
    """Counts on the same schedule, and ends at once."""
    await counters.add("seconds")


@app.timer_trigger(arg_name="timer", schedule="0 0 3 1 1 *", run_on_startup=True)
async def on_start(timer: func.TimerRequest) -> None:
    """Runs at start, then once a year."""
    await counters.add("starts")


@app.warm_up_trigger(arg_name="warmup")
async def warm(warmup: WarmUpContext) -> None:
    """Counts warm-ups."""
    await counters.add("warmups")


app.register_functions(blueprint)

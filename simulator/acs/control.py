"""The control API under ``/_sim/``: phones and chaos for people with curl. Unprotected."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import cast

from aiohttp import web

from simulator.acs.errors import Json
from simulator.acs.inbox import Inbox, ReadingResponder
from simulator.acs.people import OUTCOMES, Outcome, Person
from simulator.acs.phone import PhoneCall
from simulator.acs.script import parse_step
from simulator.acs.switchboard import Switchboard
from simulator.acs.transcript import entry_json

Answerer = Callable[[web.Request], Awaitable[web.Response]]


class ControlFace:
    """Lets calls ring, shows how they went, changes chaos and people."""

    def __init__(self, board: Switchboard, inbox: Inbox) -> None:
        self._board = board
        self._inbox = inbox

    def routes(self) -> list[web.RouteDef]:
        """What to add to the server."""
        return [
            web.post("/_sim/calls", _readable(self._ring)),
            web.get("/_sim/calls", self._list),
            web.get("/_sim/calls/{id}", self._show),
            web.delete("/_sim/calls/{id}", self._hang_up),
            web.get("/_sim/messages", self._messages),
            web.put("/_sim/chaos", _readable(self._set_chaos)),
            web.post("/_sim/keys:rotate", self._rotate_keys),
            web.put("/_sim/phones/{number}", _readable(self._set_phone)),
        ]

    async def _ring(self, request: web.Request) -> web.Response:
        body = await _body(request)
        script = body.get("script", [])
        if not isinstance(script, list) or not all(isinstance(step, dict) for step in script):
            raise ValueError("script must be a list of steps")
        phone = await self._board.ring(
            caller=_text(body, "caller"),
            callee=_text(body, "callee"),
            script=ReadingResponder([parse_step(step) for step in script], self._inbox),
        )
        return web.json_response({"id": phone.id}, status=201)

    async def _messages(self, request: web.Request) -> web.Response:
        return web.json_response({"messages": [asdict(each) for each in self._inbox.messages]})

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(_phone_json(self._phone(request)))

    async def _list(self, request: web.Request) -> web.Response:
        phones = self._board.phone_calls.values()
        return web.json_response({"calls": [_phone_json(phone) for phone in phones]})

    async def _hang_up(self, request: web.Request) -> web.Response:
        self._phone(request).hang_up()
        return web.Response(status=204)

    async def _set_chaos(self, request: web.Request) -> web.Response:
        self._board.chaos.update(await _body(request))
        return web.Response(status=204)

    async def _rotate_keys(self, request: web.Request) -> web.Response:
        self._board.chaos.rotate_keys()
        return web.Response(status=204)

    async def _set_phone(self, request: web.Request) -> web.Response:
        body = await _body(request)
        outcome = _text(body, "outcome")
        script = body.get("script", [])
        if outcome not in OUTCOMES or not isinstance(script, list):
            raise ValueError(f"outcome must be one of {', '.join(OUTCOMES)}")
        steps = [parse_step(step) for step in script]
        person = Person(outcome=cast("Outcome", outcome), script=steps)
        self._board.people[request.match_info["number"]] = person
        return web.Response(status=204)

    def _phone(self, request: web.Request) -> PhoneCall:
        phone = self._board.phone_calls.get(request.match_info["id"])
        if phone is None:
            raise web.HTTPNotFound(text="no such call\n")
        return phone


async def _body(request: web.Request) -> Json:
    match json.loads(await request.read()):
        case dict() as body:
            return body
        case _:
            raise ValueError("the body must be an object")


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be a text")
    return value


def _phone_json(phone: PhoneCall) -> Json:
    return {
        "id": phone.id,
        "callConnectionId": phone.call_connection_id,
        "isOver": phone.is_over,
        "silencesMs": phone.silences_ms,
        "transcript": [entry_json(entry) for entry in phone.transcript],
    }


def _readable(answer: Answerer) -> Answerer:
    """Answer 400 with the reason to what cannot be read."""

    async def guarded(request: web.Request) -> web.Response:
        try:
            return await answer(request)
        except ValueError as err:
            raise web.HTTPBadRequest(text=f"{err}\n") from err

    return guarded

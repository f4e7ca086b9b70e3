"""ACS SMS and ACS Email: takes messages as the SDKs send them, into the people's inbox."""

import json
import re
from uuid import uuid4

from aiohttp import web

from simulator.acs import signing
from simulator.acs.errors import Json, ServiceError, invalid
from simulator.acs.inbox import Inbox, Message

SMS_VERSIONS = frozenset({"2021-03-07", "2026-01-23"})
EMAIL_VERSIONS = frozenset({"2023-03-31", "2025-09-01"})

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class MessagingFace:
    """Answers the requests of the SMS and the e-mail client."""

    def __init__(self, inbox: Inbox, access_key: str) -> None:
        self._inbox = inbox
        self._access_key = access_key
        self._sent: set[str] = set()
        self._operations: dict[str, Json] = {}

    def routes(self) -> list[web.RouteDef]:
        """What to add to the server."""
        return [
            web.post("/sms", self._sms),
            web.post("/emails:send", self._email),
            web.get("/emails/operations/{id}", self._operation),
        ]

    async def _sms(self, request: web.Request) -> web.Response:
        try:
            body = await self._admit(request, SMS_VERSIONS)
            recipients, text = body.get("smsRecipients"), body.get("message")
            if not isinstance(recipients, list) or not recipients or not isinstance(text, str):
                raise invalid("smsRecipients and message are required.")
            items = [self._to_phone(each, str(body.get("from", "")), text) for each in recipients]
        except ServiceError as refusal:
            return web.json_response(refusal.reply.body, status=refusal.status)
        return web.json_response({"value": items}, status=202)

    def _to_phone(self, recipient: Json, sender: str, text: str) -> Json:
        to, request_id = str(recipient.get("to", "")), str(recipient.get("repeatabilityRequestId"))
        item: Json = {
            "to": to,
            "messageId": f"Outgoing_{uuid4()}",
            "httpStatusCode": 202,
            "repeatabilityResult": "accepted",
            "successful": True,
        }
        if not _NUMBER.fullmatch(to) or to in self._inbox.refused:
            problem = "Invalid To phone number format."
            return item | {"httpStatusCode": 400, "successful": False, "errorMessage": problem}
        if request_id not in self._sent:
            self._sent.add(request_id)
            self._inbox.deliver(Message("sms", to, sender, "", text))
        return item

    async def _email(self, request: web.Request) -> web.Response:
        try:
            body = await self._admit(request, EMAIL_VERSIONS)
            content = body.get("content") or {}
            recipients = [str(each.get("address")) for each in body["recipients"]["to"]]
            if not all(_ADDRESS.fullmatch(each) for each in recipients):
                raise invalid("Invalid format for email address")
            if not body.get("senderAddress") or not content.get("subject"):
                raise invalid("senderAddress and content.subject are required.")
        except ServiceError as refusal:
            return web.json_response(refusal.reply.body, status=refusal.status)
        except (KeyError, TypeError):
            return web.json_response(invalid("recipients.to is required.").reply.body, status=400)
        operation = request.headers.get("Operation-Id") or str(uuid4())
        is_refused = any(each in self._inbox.refused for each in recipients)
        if not is_refused and operation not in self._operations:
            for each in recipients:
                text = str(content.get("plainText") or content.get("html"))
                sender = str(body["senderAddress"])
                self._inbox.deliver(Message("email", each, sender, content["subject"], text))
        error = {"error": {"code": "EmailDropped", "message": "The message was dropped."}}
        state = "Failed" if is_refused else "Succeeded"
        self._operations[operation] = {
            "id": operation,
            "status": state,
            **(error if is_refused else {}),
        }
        version = request.query["api-version"]
        at = f"{request.url.origin()}/emails/operations/{operation}?api-version={version}"
        return web.json_response(
            {"id": operation, "status": "Running"},
            status=202,
            headers={"Operation-Location": at, "retry-after": "1"},
        )

    async def _operation(self, request: web.Request) -> web.Response:
        try:
            await self._admit(request, EMAIL_VERSIONS)
        except ServiceError as refusal:
            return web.json_response(refusal.reply.body, status=refusal.status)
        operation = self._operations.get(request.match_info["id"])
        if operation is None:
            return web.json_response({"error": {"code": "NotFound"}}, status=404)
        return web.json_response(operation)

    async def _admit(self, request: web.Request, versions: frozenset[str]) -> Json:
        """The body of a request that is signed, of a known version, and not to fail."""
        data = await request.read()
        signing.verify(
            self._access_key,
            method=request.method,
            path=request.raw_path,
            headers=request.headers,
            body=data,
        )
        if request.query.get("api-version") not in versions:
            raise invalid("Unsupported api-version.")
        if self._inbox.faults:
            status = self._inbox.faults.popleft()
            raise ServiceError(status, "InternalServerError", "Something went wrong.")
        try:
            body = json.loads(data) if data else {}
        except ValueError as err:
            raise invalid("The request body is not valid JSON.") from err
        if not isinstance(body, dict):
            raise invalid("The request body must be an object.")
        return body

"""The chat completions protocol: what a request must look like, and the shape of errors."""

import re
from collections.abc import Collection, Mapping
from typing import Any

_PARAMETERS = frozenset(
    (
        *("model", "messages", "stream", "stream_options", "tools", "tool_choice", "temperature"),
        *("top_p", "n", "stop", "max_tokens", "max_completion_tokens", "presence_penalty", "user"),
        *("frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "response_format", "seed"),
        *("parallel_tool_calls", "reasoning_effort", "metadata", "store", "service_tier"),
        *("prediction", "modalities", "audio", "verbosity", "safety_identifier"),
        *("prompt_cache_key", "prompt_cache_retention"),
    )
)
_ROLES = frozenset(("system", "developer", "user", "assistant", "tool"))
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class ApiError(Exception):
    """A request is refused; `body` is what the client gets."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}
        self.details: Mapping[str, Any] = {}

    @property
    def body(self) -> dict[str, Any]:
        """The error in OpenAI's shape."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        error = {"message": str(self), "type": kind, "param": None, "code": self.code}
        return {"error": {**error, **self.details}}


def invalid(message: str) -> ApiError:
    """A 400 for a request that cannot be understood."""
    return ApiError(400, "invalid_request_error", message)


def filtered() -> ApiError:
    """A 400 as Azure's content filter answers it."""
    error = ApiError(400, "content_filter", "The prompt triggered the content management policy.")
    verdict = {"violence": {"filtered": True, "severity": "medium"}}
    error.details = {
        "param": "prompt",
        "type": None,
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": verdict},
    }
    return error


def check_request(body: object, deployments: Collection[str]) -> dict[str, Any]:
    """Refuse what the service would refuse.

    Raises:
        ApiError: 404 for an unknown deployment, 400 for everything else.
    """
    if not isinstance(body, dict):
        raise invalid("The body is not a JSON object.")
    if unknown := sorted(body.keys() - _PARAMETERS):
        raise invalid(f"Unrecognized request argument supplied: {unknown[0]}")
    if not isinstance(body.get("model"), str):
        raise invalid("You must provide a model parameter.")
    if body["model"] not in deployments:
        raise ApiError(404, "DeploymentNotFound", "The API deployment does not exist.")
    _check_numbers(body)
    if body.get("stream_options") is not None and not body.get("stream"):
        raise invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    _check_tools(body.get("tools"))
    _check_messages(body.get("messages"))
    return body


def _check_numbers(body: Mapping[str, Any]) -> None:
    temperature = body.get("temperature")
    if temperature is not None and not (_is_number(temperature) and 0 <= temperature <= 2):
        raise invalid("Invalid 'temperature': expected a number from 0 to 2.")
    for name in ("max_tokens", "max_completion_tokens"):
        value = body.get(name)
        if value is not None and not (type(value) is int and value > 0):
            raise invalid(f"Invalid '{name}': integer below minimum value.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_tools(tools: object) -> None:
    if tools is None:
        return
    if not isinstance(tools, list) or not tools:
        raise invalid("Invalid 'tools': expected an array with at least one item.")
    for index, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or tool.get("type") != "function":
            raise invalid(f"Invalid 'tools[{index}]': expected a function.")
        name = function.get("name")
        if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
            raise invalid(f"Invalid 'tools[{index}].function.name': it does not match the pattern.")
        parameters = function.get("parameters", {"type": "object"})
        if not isinstance(parameters, dict) or parameters.get("type", "object") != "object":
            raise invalid(f"Invalid schema for function '{name}': it is not of type object.")


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise invalid("Invalid 'messages': expected an array with at least one item.")
    waiting: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise invalid(f"Invalid value: '{where}.role'.")
        if message["role"] == "tool":
            _check_tool_message(message, where, waiting)
            continue
        if waiting:
            raise invalid(
                "An assistant message with 'tool_calls' must be followed by tool messages "
                f"responding to each 'tool_call_id'; {where} comes before that."
            )
        waiting = _check_spoken(message, where)
    if waiting:
        raise invalid("An assistant message with 'tool_calls' has no response at the end.")


def _check_tool_message(message: Mapping[str, Any], where: str, waiting: set[str]) -> None:
    if message.get("tool_call_id") not in waiting:
        raise invalid(
            f"{where}: messages with role 'tool' must be a response to a preceding message "
            "with 'tool_calls'."
        )
    if not isinstance(message.get("content"), str | list):
        raise invalid(f"Invalid type for '{where}.content'.")
    waiting.remove(message["tool_call_id"])


def _check_spoken(message: Mapping[str, Any], where: str) -> set[str]:
    """Check a message that is no tool result; gives the ids of the calls it makes."""
    calls = message.get("tool_calls")
    if message["role"] != "assistant" or calls is None:
        if not isinstance(message.get("content"), str | list):
            raise invalid(f"Invalid type for '{where}.content': expected a string or an array.")
        return set()
    if not isinstance(calls, list) or not calls:
        raise invalid(f"Invalid '{where}.tool_calls': expected an array with at least one item.")
    ids = set()
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise invalid(f"Invalid '{where}.tool_calls': expected calls of functions.")
        parts = (call.get("id"), function.get("name"), function.get("arguments"))
        if not all(isinstance(part, str) for part in parts):
            raise invalid(f"Invalid '{where}.tool_calls': a call has an id, a name and arguments.")
        ids.add(call["id"])
    return ids

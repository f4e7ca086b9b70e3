"""Who may do what: the account's key signs every request, or a token comes with it."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Collection
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from simulator.cosmos.call import Call
from simulator.cosmos.errors import CosmosError

_CLOCK_SKEW_S = 15 * 60
_AAD_BLOCKED = 5300
_AAD_TYPES = frozenset({"", "docs", "pkranges"})


class Authority:
    """Checks the Authorization header.

    Args:
        key: The account's key, in base64.
        tokens: Entra tokens that are accepted, for items only: as in Azure, databases and
            containers are made by other means.
        now: The wall clock, in seconds since 1970.
    """

    def __init__(
        self, key: str, tokens: Collection[str] = (), now: Callable[[], float] = time.time
    ) -> None:
        self._key = base64.b64decode(key)
        self._tokens = frozenset(tokens)
        self._now = now

    def check(self, call: Call) -> None:
        """Refuse who has proved nothing.

        Raises:
            CosmosError: 401 or 403.
        """
        header = unquote(call.headers.get("authorization", ""))
        if not header:
            raise CosmosError(
                401,
                "Required Header authorization is missing. Ensure a valid Authorization token is"
                " passed.",
            )
        parts = dict(part.partition("=")[::2] for part in header.split("&"))
        if parts.get("ver") == "1.0" and parts.get("type") == "master":
            self._check_signature(call, parts.get("sig", ""))
        elif parts.get("ver") == "1.0" and parts.get("type") == "aad":
            self._check_token(call, parts.get("sig", ""))
        else:
            raise CosmosError(401, "Authorization header doesn't confirm to the required format.")

    def _check_signature(self, call: Call, signature: str) -> None:
        kind, link = call.resource
        date = call.headers.get("x-ms-date", "")
        payload = f"{call.method.lower()}\n{kind.lower()}\n{link}\n{date.lower()}\n\n"
        digest = hmac.new(self._key, payload.encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(base64.b64encode(digest).decode(), signature):
            raise CosmosError(
                401,
                "The input authorization token can't serve the request. The wrong key is being"
                " used or the expected payload is not built as per the protocol. Server used the"
                f" following payload to sign: '{payload}'",
            )
        try:
            age_s = self._now() - parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError) as err:
            raise CosmosError(401, "The x-ms-date header is not a valid date.") from err
        if abs(age_s) > _CLOCK_SKEW_S:
            raise CosmosError(403, "The authorization token is not valid at the current time.")

    def _check_token(self, call: Call, token: str) -> None:
        if token not in self._tokens:
            raise CosmosError(401, "The provided AAD token is not valid.")
        kind, link = call.resource
        is_metadata = kind == "colls" and call.method == "GET" and len(call.segments) == 4
        if kind not in _AAD_TYPES and not is_metadata:
            raise CosmosError(
                403,
                f"Request blocked by Auth: The given request [{call.method} /{link}/{kind}]"
                " cannot be authorized by AAD token in data plane.",
                substatus=_AAD_BLOCKED,
            )

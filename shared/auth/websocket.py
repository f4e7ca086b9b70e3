"""Who may open a media WebSocket.

    try:
        await validate_acs_ws_auth(websocket, required_scope="media.stream")
    except AuthError:
        await websocket.close(code=4001, reason="Authentication required")

Closing the socket is the caller's business, as in this example.
"""

from collections.abc import Mapping
from typing import Protocol

from shared.errors import UnauthorizedError, UpstreamError
from shared.types import Json

ACS_ISSUER = "https://acscallautomation.communication.azure.com"
"""Issues the tokens of callbacks and of media WebSockets."""

_SCOPE_CLAIMS = ("scp", "scope", "roles")


class AuthError(UnauthorizedError):
    """The WebSocket may not be opened.

    Attributes:
        is_temporary: We could not check, so that another attempt may succeed.
    """

    def __init__(self, message: str, *, is_temporary: bool = False) -> None:
        super().__init__(message)
        self.is_temporary = is_temporary


class Upgrade(Protocol):
    """A WebSocket, or the request that asks for one."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the upgrade request."""
        ...


class Verifier(Protocol):
    """Checks an Authorization header."""

    async def verify(self, authorization_header: str | None) -> Json:
        """The claims of its token; `UnauthorizedError` or `UpstreamError` if there are none."""
        ...


_default: list[Verifier] = []


def use_verifier(verifier: Verifier | None) -> None:
    """Let `validate_acs_ws_auth` use *verifier* where it is given none; None forgets it."""
    _default[:] = [] if verifier is None else [verifier]


async def validate_acs_ws_auth(
    websocket: Upgrade, required_scope: str | None = None, *, verifier: Verifier | None = None
) -> Json:
    """Check the token of a WebSocket upgrade.

    ACS's own tokens carry no scope, so *required_scope* cannot be asked of them: for them, issuer
    and audience say everything. It is enforced for every other issuer, and as soon as a token
    carries any scope.

    Args:
        websocket: Before or after it was accepted.
        required_scope: What a token with scopes must include, for example ``media.stream``.
        verifier: Instead of the one registered with `use_verifier`.

    Returns:
        The claims of the token.

    Raises:
        AuthError: There is no valid token, its scopes do not suffice, we could not check it
            (``is_temporary``), or nobody has configured how to. Never quotes the token.
    """
    checker = verifier or next(iter(_default), None)
    if checker is None:
        raise AuthError("WebSocket authentication is not configured")
    try:
        claims = await checker.verify(_authorization(websocket.headers))
    except UnauthorizedError as err:
        raise AuthError(str(err)) from err
    except UpstreamError as err:
        raise AuthError("the token cannot be checked now", is_temporary=True) from err
    if required_scope is not None and not _has_scope(claims, required_scope):
        raise AuthError("the token does not include the required scope")
    return claims


def _authorization(headers: Mapping[str, str]) -> str | None:
    # Not every server hands over headers whose names ignore case.
    return next((value for name, value in headers.items() if name.lower() == "authorization"), None)


def _has_scope(claims: Json, required: str) -> bool:
    carried = [claims[name] for name in _SCOPE_CLAIMS if name in claims]
    if not carried and claims.get("iss") == ACS_ISSUER:
        return True
    granted: set[str] = set()
    for value in carried:
        if isinstance(value, str):
            granted.update(value.split())
        elif isinstance(value, list):
            granted.update(item for item in value if isinstance(item, str))
    return required in granted

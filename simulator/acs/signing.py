"""Verification of the HMAC signature the SDK puts on every request."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote

from simulator.acs.errors import ServiceError

_AUTHORIZATION = re.compile(
    r"HMAC-SHA256 SignedHeaders=(?P<names>[\w;-]+)&Signature=(?P<signature>[A-Za-z0-9+/=]+)"
)
_REQUIRED = {"x-ms-date", "host", "x-ms-content-sha256"}


def verify(
    access_key: str, *, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> None:
    """Check the signature of one request; *path* is raw and includes the query.

    Raises:
        ServiceError: 401/7509, whatever is wrong with it.
    """
    match = _AUTHORIZATION.fullmatch(headers.get("Authorization", ""))
    names = match["names"].split(";") if match else []
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    if (
        match is None
        or not _REQUIRED.issubset(names)
        or headers.get("x-ms-content-sha256") != digest
    ):
        raise _refused()
    signed = ";".join(headers.get(name, "") for name in names)
    key = base64.b64decode(access_key)
    expected = [_sign(key, f"{method}\n{form}\n{signed}") for form in _path_forms(path)]
    try:
        given = base64.b64decode(match["signature"], validate=True)
    except binascii.Error as err:
        raise _refused() from err
    if not any(hmac.compare_digest(given, one) for one in expected):
        raise _refused()


def _path_forms(path: str) -> Iterator[str]:
    """The path as sent, decoded, and fully encoded.

    The async client rewrites ``4%3A%2B1555`` to ``4:%2B1555``, and the ``%3D`` at the end of a
    recording id to ``=``, after signing it.
    """
    yield path
    yield unquote(path)
    bare, mark, query = path.partition("?")
    # The colon of an operation (":play") is never encoded, that of a raw id always is.
    head, slash, last = bare.rpartition("/participants/")
    if slash:
        yield head + slash + quote(unquote(last), safe="") + mark + query
    head, slash, last = bare.rpartition("/recordings/")
    if slash:
        recording_id, colon, operation = unquote(last).partition(":")
        yield head + slash + quote(recording_id, safe="") + colon + operation + mark + query


def _sign(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _refused() -> ServiceError:
    return ServiceError(401, "7509", "HMAC-SHA256 validation failed")

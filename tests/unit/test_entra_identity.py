"""Whose token it is that logs in to Redis."""

import jwt
import pytest

from shared.errors import UpstreamError
from shared.redis.entra import object_id


def test_object_id_is_read_from_the_token() -> None:
    """Redis wants it as the user name, and nobody else tells it."""
    secret = "never checked, but long enough to be a secret"
    assert object_id(jwt.encode({"oid": "abc"}, secret, algorithm="HS256")) == "abc"


@pytest.mark.parametrize("claims", [{}, {"oid": ""}, {"oid": 5}, None])
def test_object_id_that_is_missing_is_an_error(claims: dict[str, object] | None) -> None:
    """An empty user name would fail later, and less clearly."""
    secret = "never checked, but long enough to be a secret"
    text = "garbage" if claims is None else jwt.encode(claims, secret, algorithm="HS256")
    with pytest.raises(UpstreamError) as caught:
        object_id(text)
    assert text not in str(caught.value)

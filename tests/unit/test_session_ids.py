"""Names of sessions: UUIDv7, and the same again for what comes again."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.state.codec import check_session_id
from shared.state.session_ids import new_session_id, session_id_for

AT = datetime(2026, 11, 22, 9, 0, 0, 123000, tzinfo=UTC)
instants = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9000, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(name=st.text(), at=st.none() | instants)
def test_session_id_is_a_uuid7_that_fits_a_key(name: str, at: datetime | None) -> None:
    """Whatever it is made from, it is a name every store and log understands."""
    for session_id in (session_id_for(name, at=at), new_session_id(at)):
        parsed = UUID(session_id)
        assert (parsed.version, parsed.variant) == (7, RFC_4122)
        assert check_session_id(session_id) == session_id


@given(name=st.text(), at=st.none() | instants)
def test_session_id_for_is_the_same_again(name: str, at: datetime | None) -> None:
    """An event delivered again finds the session that its first delivery began."""
    assert session_id_for(name, at=at) == session_id_for(name, at=at)


@given(names=st.lists(st.text(), unique=True, min_size=2, max_size=20))
def test_session_id_for_differs_by_name(names: list[str]) -> None:
    """Two calls must never share a session."""
    assert len({session_id_for(name, at=AT) for name in names}) == len(names)


def test_session_id_carries_the_time_to_the_millisecond() -> None:
    """The first 48 bits are the time, as RFC 9562 lays down."""
    for session_id in (new_session_id(AT), session_id_for("call", at=AT)):
        assert UUID(session_id).int >> 80 == int(AT.timestamp() * 1000)


def test_session_ids_sort_by_the_time_they_were_made() -> None:
    """A list of sessions is in order without a second column."""
    made = [new_session_id(AT + timedelta(milliseconds=count)) for count in range(50)]
    assert made == sorted(made)


def test_session_id_without_a_time_does_not_tell_one() -> None:
    """One made from a client's key alone must not depend on when it was asked for."""
    assert UUID(session_id_for("call:key")).int >> 80 == 0


def test_new_session_ids_are_never_the_same() -> None:
    """Many in the same millisecond are still different."""
    assert len({new_session_id(AT) for _ in range(1000)}) == 1000

"""Sessions against a real Redis: one round trip each way, and every change once or not at all."""

import datetime

from shared.redis.manager import AzureRedisManager, count_round_trips
from shared.state.codec import session_key
from shared.state.memo import MemoManager
from shared.state.session_ids import new_session_id
from shared.state.store import Commit, Outcome, SessionStore
from shared.types import CallConnectionId
from tests.contract.store_parts import AGENT, E1, SPEAK, TURN

pytest_plugins = ("tests.contract.redis_fixture", "tests.contract.store_fixture")


async def test_store_commit_is_found_again_whole(
    store: SessionStore, redis: AzureRedisManager
) -> None:
    """Everything a commit carries is there for the next instance, after one round trip each way."""
    sid = new_session_id()
    loaded = await store.load(sid, E1)
    assert (loaded.version, loaded.call, loaded.outbox, loaded.is_seen) == (0, None, (), False)
    loaded.memo.set_context("client_id", "c-1")
    await store.commit(Commit(session_id=new_session_id()))  # teaches the server the script
    with count_round_trips() as trips:
        committed = await store.commit(
            Commit(
                session_id=sid,
                event_id=E1,
                expected_version=0,
                call={"phase": "talking", "n": [], "big": 2**60},
                messages=((AGENT, {"role": "user", "content": "hé"}),),
                memo=loaded.memo,
                add=((SPEAK, {"kind": "speak"}), (TURN, {"kind": "turn"})),
                journal={"event": "e1"},
                due_in_s=20,
                link_call=CallConnectionId("ccid-" + sid),
            )
        )
    assert trips.total == 1
    assert committed.outcome is Outcome.APPLIED
    assert committed.version == 1
    assert committed.fences == {SPEAK: 1, TURN: 2}
    assert loaded.memo.get_history(AGENT) == [{"role": "user", "content": "hé"}]
    assert not loaded.memo.has_changes

    with count_round_trips() as trips:
        again = await store.load(sid, E1)
    assert trips.total == 1
    assert again.version == 1
    assert again.call == {"phase": "talking", "n": [], "big": 2**60}
    assert again.is_seen
    assert [(p.command_id, p.command, p.owner, p.fence, p.is_expired) for p in again.outbox] == [
        (SPEAK, {"kind": "speak"}, "one", 1, False),
        (TURN, {"kind": "turn"}, "one", 2, False),
    ]
    assert again.memo.get_context("client_id") == "c-1"
    assert again.memo.get_history(AGENT) == [{"role": "user", "content": "hé"}]
    assert await store.journal(sid) == [{"event": "e1"}]
    assert await store.session_for_call(CallConnectionId("ccid-" + sid)) == sid
    assert await store.exists(sid)
    assert not await store.exists(new_session_id())
    assert await store.session_for_call(CallConnectionId("nobody")) is None


async def test_store_every_key_ends_and_every_commit_renews(
    store: SessionStore, redis: AzureRedisManager
) -> None:
    """No session stays for ever, and none ends while it is in use, nor does its call's key."""
    sid = new_session_id()
    call = CallConnectionId("c-" + sid)
    await store.commit(
        Commit(
            session_id=sid,
            event_id=E1,
            call={},
            messages=((AGENT, {"role": "user", "content": "x"}),),
            add=((SPEAK, {}),),
            journal={},
            link_call=call,
        )
    )
    parts = ("memo", "history:concierge", "seen", "outbox", "journal")
    keys = [session_key(sid, part) for part in parts] + [f"va:call:{call}"]
    await redis.pipeline([("EXPIRE", key, 5) for key in keys])
    loaded = await store.load(sid)
    await store.commit(Commit(session_id=sid, memo=loaded.memo))
    for key in keys:
        assert 900 < int(str(await redis.execute("TTL", key))) <= 1000, key


async def test_store_second_delivery_changes_nothing(store: SessionStore) -> None:
    """An event applied by someone else is reported as seen, whatever version was read."""
    sid = new_session_id()
    first = Commit(session_id=sid, event_id=E1, expected_version=0, call={"n": 1})
    second = Commit(session_id=sid, event_id=E1, expected_version=1, call={"n": 2})
    assert (await store.commit(first)).outcome is Outcome.APPLIED
    answer = await store.commit(second)
    assert (answer.outcome, answer.version, answer.fences) == (Outcome.SEEN, 1, {})
    assert (await store.load(sid)).call == {"n": 1}


async def test_store_lost_answer_is_found_out_by_committing_again(store: SessionStore) -> None:
    """The same commit sent twice is one commit and tells the same fences both times."""
    sid = new_session_id()
    memo = MemoManager(sid)
    memo.append_to_history("user", "once")
    for event in (E1, None):
        commit = Commit(
            session_id=sid,
            event_id=event,
            call={"n": 1},
            memo=memo,
            messages=((AGENT, {"role": "user", "content": str(event)}),),
            add=((SPEAK, {}),),
            journal={"event": str(event)},
        )
        first = await store.commit(commit)
        memo.set_context(f"later-{event}", 1)
        assert await store.commit(commit) == first
        assert memo.has_changes
    loaded = await store.load(sid)
    assert loaded.version == 2
    assert len(loaded.memo.get_history()) == 1
    assert len(loaded.memo.get_history(AGENT)) == len(memo.get_history(AGENT)) == 2
    assert len(await store.journal(sid)) == 2
    assert loaded.memo.get_context("later-None") is None


async def test_store_due_lists_before_the_commit_and_settles_only_what_was_read(
    store: SessionStore,
) -> None:
    """A session with unfinished commands is never missing, even if it is listed anew meanwhile."""
    sid = new_session_id()
    now = datetime.datetime.now(datetime.UTC).timestamp()
    await store.commit(Commit(session_id=sid, add=((SPEAK, {}),), due_in_s=-1000))
    (old,) = [entry for entry in await store.due(now, 1000) if entry[0] == sid]
    await store.commit(Commit(session_id=sid, add=((TURN, {}),), due_in_s=-900))
    await store.settle(*old)
    (new,) = [entry for entry in await store.due(now, 1000) if entry[0] == sid]
    assert new[1] > old[1]
    await store.settle(*new)
    assert sid not in dict(await store.due(now, 1000))
    await store.commit(Commit(session_id=sid, due_in_s=1000))
    assert sid not in dict(await store.due(now, 1000))
    assert len(await store.due(now + 2000, 1)) <= 1
    await store.settle(*next(e for e in await store.due(now + 2000, 1000) if e[0] == sid))

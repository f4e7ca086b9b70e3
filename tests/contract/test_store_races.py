"""Two instances, one session: who wins, who is told, and what a broken line does."""

import asyncio

import pytest

from shared.errors import UpstreamError
from shared.redis.manager import AzureRedisManager
from shared.state.memo import MemoManager
from shared.state.session_ids import new_session_id
from shared.state.store import Commit, Outcome, SessionStore
from shared.types import CommandId, SessionId
from tests.contract.redis_wire import Wire
from tests.contract.store_parts import AGENT, E1, E2, SPEAK, TURN, store_of

pytest_plugins = ("tests.contract.redis_fixture", "tests.contract.store_fixture")


async def test_store_lost_race_is_a_conflict_and_keeps_the_changes(store: SessionStore) -> None:
    """Who read an older version writes nothing, and can do it again on what is there now."""
    sid = new_session_id()
    one, two = await store.load(sid, E1), await store.load(sid, E2)
    two.memo.set_context("k", "two")
    await store.commit(
        Commit(session_id=sid, event_id=E1, expected_version=0, call={"n": 1}, memo=one.memo)
    )
    lost = await store.commit(
        Commit(
            session_id=sid,
            event_id=E2,
            expected_version=two.version,
            call={"n": 2},
            memo=two.memo,
            messages=((AGENT, {"role": "user", "content": "x"}),),
            add=((SPEAK, {}),),
        )
    )
    assert (lost.outcome, lost.version) == (Outcome.CONFLICT, 1)
    again = await store.load(sid, E2)
    assert (again.call, again.outbox, again.is_seen) == ({"n": 1}, (), False)
    assert again.memo.get_history(AGENT) == two.memo.get_history(AGENT) == []
    two.memo.rebase((await store.load(sid)).memo)
    assert two.memo.has_changes
    done = await store.commit(
        Commit(session_id=sid, event_id=E2, expected_version=1, call={"n": 2}, memo=two.memo)
    )
    assert (done.outcome, done.version) == (Outcome.APPLIED, 2)
    assert (await store.load(sid)).memo.get_context("k") == "two"


async def test_store_late_owner_is_refused(redis: AzureRedisManager) -> None:
    """After a takeover the first owner's result is refused, so one turn has one outcome."""
    sid = new_session_id()
    slow, quick = store_of(redis, "slow", lease_s=0), store_of(redis, "quick")
    fence = (await slow.commit(Commit(session_id=sid, call={}, add=((TURN, {"t": 1}),)))).fences[
        TURN
    ]
    (pending,) = (await quick.load(sid)).outbox
    assert pending.is_expired
    claimed = await quick.commit(Commit(session_id=sid, claim=((TURN, pending.fence),)))
    assert claimed.fences[TURN] > fence
    assert claimed.version == 1

    late = await slow.commit(
        Commit(session_id=sid, event_id=E1, owner=(TURN, fence), done=(TURN,), call={"by": "slow"})
    )
    assert late.outcome is Outcome.REFUSED
    good = await quick.commit(
        Commit(
            session_id=sid,
            event_id=E1,
            owner=(TURN, claimed.fences[TURN]),
            done=(TURN,),
            call={"by": "quick"},
        )
    )
    assert good.outcome is Outcome.APPLIED
    gone = await quick.commit(
        Commit(session_id=sid, event_id=E2, owner=(TURN, claimed.fences[TURN]), call={})
    )
    assert gone.outcome is Outcome.REFUSED
    assert (await quick.load(sid)).outbox == ()


async def test_store_claims_what_is_free_and_only_that(redis: AzureRedisManager) -> None:
    """A lease that still runs, a fence that moved and a command that is gone are not claimed."""
    sid = new_session_id()
    lasting, ended = store_of(redis, "lasting"), store_of(redis, "ended", lease_s=0)
    held = await lasting.commit(Commit(session_id=sid, add=((SPEAK, {}),)))
    free = await ended.commit(Commit(session_id=sid, add=((TURN, {}),)))
    other = store_of(redis, "other")
    answer = await other.commit(
        Commit(
            session_id=sid,
            claim=(
                (SPEAK, held.fences[SPEAK]),
                (TURN, free.fences[TURN] + 7),
                (CommandId("gone"), 1),
            ),
        )
    )
    assert (answer.outcome, answer.fences) == (Outcome.APPLIED, {})
    answers = await asyncio.gather(
        *(
            store_of(redis, f"i{n}").commit(
                Commit(session_id=sid, claim=((TURN, free.fences[TURN]),))
            )
            for n in range(5)
        )
    )
    assert sum(len(answer.fences) for answer in answers) == 1


async def test_store_result_of_a_command_renews_its_lease(redis: AzureRedisManager) -> None:
    """A long turn that keeps reporting is not taken over in the middle of a sentence."""
    sid = new_session_id()
    ended, lasting = store_of(redis, "a", lease_s=0), store_of(redis, "a")
    fence = (await ended.commit(Commit(session_id=sid, add=((TURN, {}),)))).fences[TURN]
    assert (await ended.load(sid)).outbox[0].is_expired
    await lasting.commit(Commit(session_id=sid, event_id=E1, owner=(TURN, fence)))
    (pending,) = (await ended.load(sid)).outbox
    assert (pending.is_expired, pending.fence, pending.owner) == (False, fence, "a")


async def test_store_three_instances_apply_an_event_once(redis: AzureRedisManager) -> None:
    """Three deliveries at the same moment to three instances change the session once."""
    for _ in range(10):
        sid = new_session_id()

        async def deliver(name: str, sid: SessionId = sid) -> Outcome:
            store = store_of(redis, name)
            loaded = await store.load(sid, E1)
            commit = Commit(
                session_id=sid,
                event_id=E1,
                expected_version=loaded.version,
                call={"n": loaded.version + 1},
                messages=((AGENT, {"role": "user", "content": "x"}),),
                memo=loaded.memo,
                add=((CommandId(f"c{loaded.version}"), {}),),
            )
            return (await store.commit(commit)).outcome

        outcomes = await asyncio.gather(*(deliver(name) for name in "abc"))
        assert sorted(outcomes) == [Outcome.APPLIED, Outcome.SEEN, Outcome.SEEN]
        found = await store_of(redis).load(sid)
        assert (found.call, len(found.outbox)) == ({"n": 1}, 1)
        assert len(found.memo.get_history(AGENT)) == 1


async def test_store_answer_lost_on_the_line_is_not_a_second_commit(
    wire: Wire, store: SessionStore
) -> None:
    """When the line breaks between the commit and its answer, the repetition is recognised."""
    sid = new_session_id()
    async with wire.laid() as port, AzureRedisManager(url=f"redis://127.0.0.1:{port}") as bad:
        await bad.ping_async()
        shaky = store_of(bad)
        memo = MemoManager(sid, bad)
        memo.append_to_history("user", "once")
        commit = Commit(session_id=sid, event_id=E1, expected_version=0, call={}, memo=memo)
        wire.hold()
        running = asyncio.create_task(shaky.commit(commit))
        await wire.answers.wait()
        wire.cut()
        wire.release()
        assert (await running).outcome is Outcome.APPLIED

        memo.append_to_history("user", "twice")
        wire.hold()
        saving = asyncio.create_task(memo.persist())
        await wire.answers.wait()
        saving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saving
        wire.release()
        assert memo.has_changes
        memo.append_to_history("user", "thrice")
        await shaky.commit(Commit(session_id=sid, event_id=E2, memo=memo))
        assert not memo.has_changes
    found = await store.load(sid)
    assert [m["content"] for m in found.memo.get_history()] == ["once", "twice", "thrice"]
    assert found.version == 1


async def test_store_unreachable_is_an_error_and_loses_nothing(wire: Wire) -> None:
    """Without Redis nothing looks saved and nothing looks empty."""
    sid = new_session_id()
    async with (
        wire.laid() as port,
        AzureRedisManager(url=f"redis://127.0.0.1:{port}", op_timeout_s=0.1) as redis,
    ):
        store = store_of(redis)
        memo = MemoManager(sid, redis)
        memo.set_context("a", 1)
        await redis.ping_async()
        wire.hold()
        for call in (store.load(sid), store.commit(Commit(session_id=sid, memo=memo))):
            with pytest.raises(UpstreamError):
                await call
        assert memo.has_changes
        wire.release()
        assert (await store.commit(Commit(session_id=sid, memo=memo))).outcome is Outcome.APPLIED
        assert (await store.load(sid)).memo.get_context("a") == 1

"""The commit script against a model of it in Python, over arbitrary sequences of commits."""

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.redis.manager import AzureRedisManager
from shared.state.memo import MemoManager
from shared.state.session_ids import new_session_id
from shared.state.store import Commit, Outcome, SessionStore
from shared.types import AgentName, CommandId, EventId, Json, SessionId
from tests.contract.store_parts import store_of

pytest_plugins = ("tests.contract.redis_fixture",)

COMMANDS = [CommandId(name) for name in ("c1", "c2", "c:3")]
AGENTS = [AgentName(name) for name in ("concierge", "fraud")]
EVENTS = [EventId(name) for name in ("e1", "e2", "e3", "recent")]


@dataclass
class Entry:
    """An outbox entry of the model."""

    command: Json
    fence: int
    owner: str
    is_expired: bool


@dataclass
class Model:
    """What the script promises, without Redis."""

    version: int = 0
    call: Json | None = None
    fence: int = 0
    seen: dict[str, str] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    outbox: dict[CommandId, Entry] = field(default_factory=dict)
    threads: dict[str, list[Json]] = field(default_factory=dict)
    context: Json = field(default_factory=dict)

    def commit(self, commit: Commit, context: Json, who: str, lasts: bool) -> Outcome:
        """Do what the script should do."""
        event, owner = commit.event_id, commit.owner
        if commit.token in self.tokens:
            return Outcome.APPLIED
        if event is not None and event in self.seen:
            return Outcome.SEEN
        if owner and (owner[0] not in self.outbox or self.outbox[owner[0]].fence != owner[1]):
            return Outcome.REFUSED
        if commit.expected_version not in (None, self.version):
            return Outcome.CONFLICT
        self.tokens.add(commit.token)
        if event is not None:
            self.seen[event] = commit.token
        if commit.call is not None:
            self.call, self.version = commit.call, self.version + 1
        self.context |= context
        for agent, message in commit.messages:
            self.threads.setdefault(agent, []).append(message)
        self._change_outbox(commit, who, not lasts)
        return Outcome.APPLIED

    def _change_outbox(self, commit: Commit, who: str, is_expired: bool) -> None:
        if commit.owner:
            self.outbox[commit.owner[0]].is_expired = is_expired
        for name in commit.done:
            self.outbox.pop(name, None)
        for name, fence in commit.claim:
            entry = self.outbox.get(name)
            if entry and entry.fence == fence and entry.is_expired:
                self.fence += 1
                self.outbox[name] = Entry(entry.command, self.fence, who, is_expired)
        for name, command in commit.add:
            self.fence += 1
            self.outbox[name] = Entry(command, self.fence, who, is_expired)


texts = st.text(st.characters(codec="utf-8"), max_size=8)
fences = st.integers(1, 6)
commits: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {
        "event_id": st.none() | st.sampled_from(EVENTS),
        "expected_version": st.none() | st.integers(0, 4),
        "call": st.none() | st.dictionaries(texts, texts | st.just([]) | st.just({}), max_size=2),
        "messages": st.lists(
            st.tuples(st.sampled_from(AGENTS), st.fixed_dictionaries({"content": texts})),
            max_size=2,
        ).map(tuple),
        "add": st.lists(
            st.tuples(st.sampled_from(COMMANDS), st.fixed_dictionaries({"say": texts})), max_size=2
        ).map(tuple),
        "done": st.lists(st.sampled_from(COMMANDS), max_size=1).map(tuple),
        "claim": st.lists(st.tuples(st.sampled_from(COMMANDS), fences), max_size=2).map(tuple),
        "owner": st.none() | st.tuples(st.sampled_from(COMMANDS), fences),
    }
)
steps = st.lists(
    st.tuples(
        commits,
        st.dictionaries(st.sampled_from(["a", "b"]), texts, max_size=2),
        st.booleans(),
        st.booleans(),
    ),
    max_size=8,
)


async def check(store: SessionStore, sid: SessionId, model: Model) -> None:
    """Compare all that can be read with the model."""
    loaded = await store.load(sid)
    assert (loaded.version, loaded.call) == (model.version, model.call)
    assert loaded.memo.context == model.context
    assert loaded.memo.histories == model.threads
    found = {p.command_id: Entry(p.command, p.fence, p.owner, p.is_expired) for p in loaded.outbox}
    assert found == model.outbox
    assert [p.fence for p in loaded.outbox] == sorted(p.fence for p in loaded.outbox)
    assert loaded.memo.damaged == ()
    for event in EVENTS:
        assert (await store.load(sid, event)).is_seen == (event in model.seen)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(sequence=steps)
async def test_store_commits_as_its_model(
    redis: AzureRedisManager,
    sequence: list[tuple[dict[str, object], dict[str, str], bool, bool]],
) -> None:
    """Whatever is committed in whatever order, repeated or not, is written whole or not at all."""
    sid = new_session_id()
    model = Model()
    lasting, ended = store_of(redis, "lasting"), store_of(redis, "ended", lease_s=0)
    for fields, context, lasts, is_sent_again in sequence:
        memo = MemoManager(sid)
        for name, text in context.items():
            memo.set_context(name, text)
        commit = Commit(session_id=sid, memo=memo, **fields)  # type: ignore[arg-type]
        store, who = (lasting, "lasting") if lasts else (ended, "ended")
        expected = model.commit(commit, context, who, lasts)
        answer = await store.commit(commit)
        assert (answer.outcome, answer.version) == (expected, model.version)
        assert memo.has_changes == (expected is not Outcome.APPLIED and bool(context))
        if is_sent_again:
            expected = model.commit(commit, context, who, lasts)
            again = await store.commit(commit)
            assert (again.outcome, again.version) == (expected, model.version)
    await check(lasting, sid, model)

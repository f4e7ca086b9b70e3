"""How long stages take over all sessions: histograms per hour that all instances add to.

Nothing is sent for their sake. What a process has counted rides with the next commit of any of its
sessions; what it has not sent yet when it dies is lost, which no percentile will notice.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from shared.clock import Clock
from shared.latency.summary import bucket_of, histogram_summary
from shared.redis.manager import AzureRedisManager
from shared.redis.script import Command, ScriptCall, load_script
from shared.state.codec import new_token
from shared.types import Json

HOURS = 24
MAX_STAGES = 40
"""More names than that are counted together, so that the tables stay small."""
OTHER = "other"
_LIVES_S = (HOURS + 1) * 3600
_REMEMBERED_S = 600
_SUM = "us"


class LatencyTally:
    """The histograms of this process on their way to those of all."""

    def __init__(self, redis: AzureRedisManager, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._open: Counter[str] = Counter()
        self._sealed: ScriptCall | None = None
        self._stages: set[str] = set()

    def note(self, times_ms: Mapping[str, float]) -> None:
        """Count one duration of each stage."""
        for stage, duration_ms in times_ms.items():
            name = self._name(stage)
            self._open[f"{name}|{bucket_of(duration_ms)}"] += 1
            self._open[f"{name}|{_SUM}"] += round(duration_ms * 1000)

    def rider(self) -> ScriptCall | None:
        """What is to be sent with whatever is sent next; the same again until it is delivered."""
        if self._sealed is None and self._open:
            pairs = [part for pair in self._open.items() for part in pair]
            self._sealed = ScriptCall(
                load_script("tally"),
                (_key(self._clock.now()), f"va:{{latency}}:seen:{new_token()}"),
                (_LIVES_S, _REMEMBERED_S, *pairs),
            )
            self._open = Counter()
        return self._sealed

    def delivered(self, rider: ScriptCall) -> None:
        """It has arrived."""
        if self._sealed is rider:
            self._sealed = None

    async def read(self) -> dict[str, Json]:
        """Count, mean and percentiles of each stage over all instances in the last 24 hours.

        What this process has counted is in it, what others have not sent yet is not.

        Raises:
            UpstreamError: The tables could not be read.
        """
        now = self._clock.now()
        keys = [_key(now - timedelta(hours=ago)) for ago in range(HOURS)]
        commands: list[Command | ScriptCall] = [("HGETALL", key) for key in keys]
        if rider := self.rider():
            # By itself: a server that does not know the script yet runs it after the reads.
            await self._redis.run_script(rider.script, rider.keys, rider.args)
            self.delivered(rider)
        total: Counter[str] = Counter()
        for reply in await self._redis.pipeline(commands, may_repeat=True):
            flat = cast(list[str], reply)
            total.update({name: int(n) for name, n in zip(flat[::2], flat[1::2], strict=True)})
        return _summaries(total)

    def _name(self, stage: str) -> str:
        if stage not in self._stages and len(self._stages) >= MAX_STAGES:
            return OTHER
        self._stages.add(stage)
        return stage


def _key(at: datetime) -> str:
    return f"va:{{latency}}:{at.astimezone(UTC):%Y%m%d%H}"


def _summaries(total: Mapping[str, int]) -> dict[str, Json]:
    buckets: dict[str, dict[int, int]] = {}
    for name, count in total.items():
        stage, _, bucket = name.rpartition("|")
        if bucket != _SUM:
            buckets.setdefault(stage, {})[int(bucket)] = count
    return {
        stage: histogram_summary(counts, total.get(f"{stage}|{_SUM}", 0))
        for stage, counts in sorted(buckets.items())
    }

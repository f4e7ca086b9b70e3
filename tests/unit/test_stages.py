"""Where the time went: the parts always sum to the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.latency.stages import Stages
from tests.unit.fakes import FakeClock

NAMES = ("memo_load", "llm_first_token", "first_sentence", "tools", "memo_save")
steps = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.floats(min_value=0, max_value=3600, allow_nan=False),
        st.booleans(),
    ),
    max_size=60,
)


@given(steps=steps, waited=st.floats(min_value=0, max_value=60))
def test_stages_sum_to_the_whole(steps: list[tuple[str, float, bool]], waited: float) -> None:
    """Whatever is reached how often, nothing is counted twice and nothing is missing."""
    clock = FakeClock()
    clock.elapsed_s = waited
    stages = Stages(clock.monotonic, started_at=0.0)
    last_s = 0.0
    for name, seconds, is_last in steps:
        clock.elapsed_s += seconds
        if not stages.is_closed:
            last_s = clock.elapsed_s
        (stages.close if is_last else stages.reached)(name)
    assert sum(stages.spent_ms().values()) == pytest.approx(stages.total_ms, abs=1.0)
    assert stages.total_ms == pytest.approx(last_s * 1000, abs=1.0)
    assert all(spent >= 0 for spent in stages.spent_ms().values())


def test_stages_reached_again_add_to_their_first_time() -> None:
    """The second model call of a turn is model time as well."""
    clock = FakeClock()
    stages = Stages(clock.monotonic)
    for name, seconds in (("model", 1.0), ("tools", 0.5), ("model", 2.0)):
        clock.elapsed_s += seconds
        stages.reached(name)
    assert stages.spent_ms() == {"model": 3000.0, "tools": 500.0}
    assert list(stages.spent_ms()) == ["model", "tools"]
    assert stages.total_ms == 3500.0


def test_stages_count_from_the_instant_they_are_given() -> None:
    """The caller waits from the callback's arrival, not from the first line that measures."""
    clock = FakeClock()
    clock.elapsed_s = 2.0
    stages = Stages(clock.monotonic, started_at=1.5)
    stages.reached("memo_load")
    assert stages.spent_ms() == {"memo_load": 500.0}


def test_stages_close_freezes() -> None:
    """What happens after the first words are heard is not the caller's silence."""
    clock = FakeClock()
    stages = Stages(clock.monotonic)
    clock.elapsed_s = 1.0
    assert not stages.is_closed
    stages.close("speak_accepted")
    clock.elapsed_s = 9.0
    stages.reached("memo_save")
    stages.close("speak_accepted")
    assert stages.is_closed
    assert stages.spent_ms() == {"speak_accepted": 1000.0}
    assert stages.total_ms == 1000.0


def test_stages_of_nothing_are_zero() -> None:
    """A turn that reached no stage has spent nothing that is known of."""
    stages = Stages(FakeClock().monotonic)
    assert (stages.spent_ms(), stages.total_ms) == ({}, 0.0)

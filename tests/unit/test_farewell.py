"""What is sent when the platform asks the process to end."""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import pytest

from shared.telemetry.farewell import flush_on_sigterm


@pytest.fixture(autouse=True)
def _own_handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_farewell_flushes_and_then_asks_whoever_was_asked_before() -> None:
    """The host, or the app it runs in, has a handler of its own that must still run."""
    happened: list[str] = []

    def earlier(number: int, frame: FrameType | None) -> None:
        happened.append(f"earlier {number == signal.SIGTERM}")

    signal.signal(signal.SIGTERM, earlier)
    assert flush_on_sigterm(lambda: happened.append("flushed"))
    signal.raise_signal(signal.SIGTERM)
    assert happened == ["flushed", "earlier True"]


def test_farewell_does_not_wait_for_ever() -> None:
    """An exporter that hangs must not cost the process the seconds it has left."""
    happened: list[str] = []
    never = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: happened.append("earlier"))
    assert flush_on_sigterm(never.wait, within_s=0.01)
    signal.raise_signal(signal.SIGTERM)
    never.set()
    assert happened == ["earlier"]


def test_farewell_leaves_an_ignored_signal_ignored() -> None:
    """Somebody decided that the process shall live on; it still sends what it has."""
    happened: list[str] = []
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert flush_on_sigterm(lambda: happened.append("flushed"))
    signal.raise_signal(signal.SIGTERM)
    assert happened == ["flushed"]


def test_farewell_changes_nothing_off_the_main_thread() -> None:
    """Python lets only the main thread listen to signals; the attempt must not break the start."""
    before = signal.getsignal(signal.SIGTERM)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(flush_on_sigterm, lambda: None).result() is False
    assert signal.getsignal(signal.SIGTERM) is before

"""How long things take in the simulated telephone network."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Durations as a caller would feel them; all are divided by ``speed`` before waiting.

    ``speed=50`` makes a minute of conversation last 1.2 seconds. The 30 seconds that a phone rings
    shrink with it: raise ``ring_s`` where the app under test needs real time to start.
    """

    speed: float = 1.0
    ms_per_char: float = 60
    """What one character of a prompt, or of what the caller says, takes to speak."""
    end_silence_ms: float = 500
    """Silence that ends an utterance where the request names none."""
    ring_s: float = 30
    context_s: float = 300
    """How long an ``incomingCallContext`` stays valid."""
    connect_ms: float = 200
    """From an accepted answer to a connected call."""
    reaction_ms: float = 300
    """From the end of a prompt to the caller's first sound or tone."""
    tone_ms: float = 200
    """From one pressed key to the next."""
    file_ready_ms: float = 1000
    """From the end of a recording to the event that its file is there."""

    def __post_init__(self) -> None:
        if self.speed <= 0:
            raise ValueError("speed must be above zero")

    def scaled_s(self, seconds: float) -> float:
        """Real seconds to wait for *seconds* of the caller's time."""
        return seconds / self.speed

    def speaking_s(self, text: str) -> float:
        """Seconds it takes to say *text*, unscaled."""
        return len(text) * self.ms_per_char / 1000

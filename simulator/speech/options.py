"""What a client asks of a recognition, from the address and from its context message."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_PAUSE_S = 0.5
_INITIAL_SILENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to listen."""

    is_once: bool
    """One phrase, then the turn ends."""
    is_detailed: bool
    wants_words: bool
    phrases: tuple[str, ...]
    """What is probably said; from the client's phrase list."""
    pause_s: float
    """How long a pause ends a phrase."""
    initial_silence_s: float
    """How long to wait for the first word, where only one phrase is wanted."""


def read_options(path: str, query: Mapping[str, str], context: Mapping[str, Any]) -> Options:
    """Read the options; what is missing or malformed has its default."""
    detection = _object(context, "phraseDetection")
    output = _object(context, "phraseOutput")
    mode = str(detection.get("mode") or context.get("mode") or "").upper()
    if not mode:
        mode = "INTERACTIVE" if "/interactive/" in path else "CONVERSATION"
    segmentation = _object(detection, mode, "segmentation")
    pause_ms = segmentation.get("segmentationSilenceTimeoutMs")
    silence_ms = detection.get("initialSilenceTimeout") or query.get("initialSilenceTimeoutMs")
    details = _object(output, "detailed").get("options") or []
    is_detailed = "detailed" in {query.get("format"), str(output.get("format", "")).lower()}
    return Options(
        is_once=mode == "INTERACTIVE",
        is_detailed=is_detailed,
        wants_words="WordTimings" in details or query.get("wordLevelTimestamps") == "true",
        phrases=_phrases(context),
        pause_s=_seconds(pause_ms, _PAUSE_S),
        initial_silence_s=_seconds(silence_ms, _INITIAL_SILENCE_S),
    )


def _phrases(context: Mapping[str, Any]) -> tuple[str, ...]:
    groups = _object(context, "dgi").get("Groups") or []
    items = [item for group in groups for item in group.get("Items", [])]
    return tuple(str(item["Text"]) for item in items if item.get("Text"))


def _object(data: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        value = data.get(key)
        data = value if isinstance(value, Mapping) else {}
    return data


def _seconds(value: object, default_s: float) -> float:
    try:
        return float(str(value)) / 1000
    except ValueError:
        return default_s

"""What goes along when a caller is passed on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from shared.types import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffContext:
    """Why the caller is passed on, and what the next agent needs to know. None: nobody said."""

    previous_agent: str | None = None
    """Who really passes the caller on."""
    reason: str | None = field(default=None, repr=False)
    """Why, in a few words."""
    summary: str | None = field(default=None, repr=False)
    """What was talked about."""
    client_id: str | None = field(default=None, repr=False)
    """Whom the session has verified, never whom a model names."""
    caller_name: str | None = field(default=None, repr=False)
    handoff_timestamp: str | None = None
    """ISO 8601, UTC."""
    details: Mapping[str, object] = field(default_factory=dict, repr=False)
    """Further properties of the tool, as they were given: 0, False and "" are values too."""

    def as_json(self) -> Json:
        """What is known, and nothing of what is not."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Read what `as_json` wrote; what is not ours is left out."""
        known = {name: value[name] for name in cls.__slots__ if name in value}
        return cls(**known)

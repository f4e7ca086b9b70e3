"""What a check found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that must not be deployed."""

    check: str
    """The check's name, the same for all of its findings."""
    place: str
    """The file, and what in it."""
    text: str
    """What is wrong, and what should be there."""

    def __str__(self) -> str:
        return f"{self.check}: {self.place}: {self.text}"

"""What has changed in a session and is not stored yet."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cut:
    """The oldest messages of a thread are to go, if the thread is still as long as it was read."""

    length_bytes: int
    """Of the whole thread, as it was read."""
    cut_bytes: int
    """Up to the first message that stays."""
    messages: int
    """How many go."""


@dataclass(slots=True)
class Changes:
    """A record of changes; texts are JSON. Applied in the order reset, cut, append."""

    set: dict[str, str] = field(repr=False, default_factory=dict)
    delete: "dict[str, None]" = field(repr=False, default_factory=dict)
    """Fields to delete; a dict for its order."""
    append: dict[str, list[str]] = field(repr=False, default_factory=dict)
    reset: "dict[str, None]" = field(repr=False, default_factory=dict)
    """Threads to empty."""
    cut: dict[str, Cut] = field(repr=False, default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """There is nothing to write."""
        return not (self.set or self.delete or self.append or self.reset or self.cut)

    def set_field(self, name: str, text: str) -> None:
        """Record that a field has a new value."""
        self.delete.pop(name, None)
        self.set[name] = text

    def delete_field(self, name: str) -> None:
        """Record that a field is gone."""
        self.set.pop(name, None)
        self.delete[name] = None

    def append_to(self, thread: str, text: str) -> None:
        """Record a new message."""
        self.append.setdefault(thread, []).append(text)

    def reset_thread(self, thread: str) -> None:
        """Record that a thread was emptied; what was appended before goes with it."""
        self.append.pop(thread, None)
        self.cut.pop(thread, None)
        self.reset[thread] = None

    def then(self, later: "Changes") -> "Changes":
        """These changes followed by *later* ones, as one record."""
        both = Changes(
            set=dict(self.set),
            delete=dict(self.delete),
            append={thread: list(texts) for thread, texts in self.append.items()},
            reset=dict(self.reset),
            cut=dict(self.cut),
        )
        for name, text in later.set.items():
            both.set_field(name, text)
        for name in later.delete:
            both.delete_field(name)
        for thread in later.reset:
            both.reset_thread(thread)
        for thread, cut in later.cut.items():
            both.cut.setdefault(thread, cut)
        for thread, texts in later.append.items():
            both.append.setdefault(thread, []).extend(texts)
        return both

    def operations(self) -> list[str | int]:
        """The operations of ``commit.lua`` that make these changes."""
        operations: list[str | int] = []
        for name, text in self.set.items():
            operations += ("S", name, text)
        for name in self.delete:
            operations += ("D", name)
        for thread in self.reset:
            operations += ("R", thread)
        for thread, cut in self.cut.items():
            operations += ("C", thread, cut.length_bytes, cut.cut_bytes, cut.messages)
        for thread, texts in self.append.items():
            operations += ("A", thread, len(texts), ",".join(texts))
        return operations

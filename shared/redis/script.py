"""The Lua scripts that ship beside this module."""

import functools
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

Argument = str | bytes | int | float
Command = tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the name under which a server keeps it."""

    text: str = field(repr=False)
    sha: str


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """One run of a script; all its keys must live in one cluster slot."""

    script: Script
    keys: tuple[str, ...] = field(repr=False)
    args: tuple[Argument, ...] = field(default=(), repr=False)

    def by_name(self) -> Command:
        """The command that runs the script a server already knows."""
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.args)

    def by_text(self) -> Command:
        """The command that runs the script and teaches it to the server."""
        return ("EVAL", self.script.text, len(self.keys), *self.keys, *self.args)


@functools.cache
def load_script(name: str) -> Script:
    """Read ``scripts/<name>.lua``; the file is read once."""
    text = (Path(__file__).parent / "scripts" / f"{name}.lua").read_text("utf-8")
    # Redis names scripts by SHA-1; nothing secret depends on it.
    return Script(text=text, sha=hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())

"""The Bicep templates, parsed.

Two parsers read every file. Neither is the compiler, which needs the network to be had: the grammar
of ``pycep`` (checkov's) is strict and old, that of ``tree-sitter`` is lenient and complete.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import tree_sitter
import tree_sitter_bicep
from lark.exceptions import LarkError
from pycep import BicepParser

from infra.preflight.findings import Finding

CHECK = "bicep parses"
_GRAMMAR = tree_sitter.Language(tree_sitter_bicep.language())


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as it stands in a template."""

    file: str
    symbol: str
    type: str
    is_existing: bool
    body: Mapping[str, Any]

    @property
    def place(self) -> str:
        """Where it is, for a message."""
        return f"{self.file} {self.symbol}"

    def get(self, path: str) -> Any:
        """What is at ``properties.a.b``; None where nothing is."""
        value: Any = self.body
        for name in path.split("."):
            if not isinstance(value, Mapping):
                return None
            value = value.get(name, value.get(f"'{name}'"))
        return value


@dataclass(frozen=True, slots=True)
class Template:
    """One file."""

    name: str
    """Relative to the infra folder."""
    text: str
    tree: Mapping[str, Any]
    """As pycep reads it."""
    syntax: "tree_sitter.Node"

    def resources(self) -> Iterator[Resource]:
        """Every resource of the file, in its order."""
        for symbol, found in self.tree.get("resources", {}).items():
            body = unwrapped(found["config"])
            yield Resource(self.name, symbol, found["type"], bool(found["existing"]), body)

    def modules(self) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
        """Symbol to path (from the infra folder) and body, of every module the file composes."""
        folder = PurePosixPath(self.name).parent
        return {
            symbol: ((folder / found["detail"]["path"]).as_posix(), unwrapped(found["config"]))
            for symbol, found in self.tree.get("modules", {}).items()
        }

    def declared(self, kind: str) -> Mapping[str, Any]:
        """The ``parameters``, ``variables`` or ``outputs`` of the file by name."""
        found: Mapping[str, Any] = self.tree.get(kind, {})
        return found


@dataclass(frozen=True, slots=True)
class Templates:
    """Every template of a folder."""

    files: Mapping[str, Template]
    problems: tuple[Finding, ...] = field(default=())

    def resources(self, kind: str = "") -> list[Resource]:
        """What is created, of one type or of all; what is only referred to does not count."""
        every = (one for file in self.files.values() for one in file.resources())
        return [one for one in every if not one.is_existing and kind in ("", one.type)]


def unwrapped(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body of a resource or module, without its condition or loop."""
    while "config" in config and ("condition" in config or "loop_type" in config):
        config = config["config"]
    return config


def load(folder: Path) -> Templates:
    """Read every ``*.bicep`` below *folder*; one that does not parse is a problem, not an error."""
    files: dict[str, Template] = {}
    problems: list[Finding] = []
    for path in sorted(folder.rglob("*.bicep")):
        name = path.relative_to(folder).as_posix()
        text = path.read_text(encoding="utf-8")
        syntax = tree_sitter.Parser(_GRAMMAR).parse(text.encode()).root_node
        if syntax.has_error:
            problems.append(Finding(CHECK, name, f"line {_line_of_error(syntax)}: not Bicep"))
            continue
        try:
            tree = _parsed(text)
        except LarkError as err:
            line = getattr(err, "line", "?")
            problems.append(Finding(CHECK, name, f"line {line}: outside of what checkov reads"))
            continue
        files[name] = Template(name, text, tree, syntax)
    if not files and not problems:
        problems.append(Finding(CHECK, folder.name, "there are no templates"))
    return Templates(files, tuple(problems))


@functools.cache
def _parser() -> BicepParser:
    return BicepParser()  # compiles its grammar, which takes longer than all templates


@functools.lru_cache(maxsize=128)
def _parsed(text: str) -> Mapping[str, Any]:
    tree: Mapping[str, Any] = _parser().parse(text=text)
    return tree


def walk(node: "tree_sitter.Node") -> Iterator["tree_sitter.Node"]:
    """*node* and everything below it."""
    yield node
    for child in node.children:
        yield from walk(child)


def _line_of_error(syntax: "tree_sitter.Node") -> int:
    broken = (one for one in walk(syntax) if one.type == "ERROR" or one.is_missing)
    return next((one.start_point[0] + 1 for one in broken), 1)

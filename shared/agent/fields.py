"""Reading a YAML mapping field by field, with errors that name the file and the field."""

from collections.abc import Collection
from pathlib import Path

import yaml

from shared.errors import AppError
from shared.types import Json

_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where there is one


class AgentDefinitionError(AppError):
    """An agent is defined in a way that cannot work; the text names the file and the field."""

    code = "agent_definition_invalid"


def read_mapping(path: Path) -> Json:
    """The YAML mapping in a file.

    Raises:
        AgentDefinitionError: There is no such file, or it holds something else.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _SafeLoader)  # noqa: S506 - it is safe
    except OSError as err:
        raise AgentDefinitionError(f"{path.name}: the file cannot be read") from err
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        mark = getattr(err, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        raise AgentDefinitionError(f"{path.name}: not valid YAML{line}") from err
    if not isinstance(content, dict):
        raise AgentDefinitionError(f"{path.name}: must be a mapping")
    return content


def merged(base: Json, over: Json) -> Json:
    """*over* laid over *base*: mappings merge at every level, everything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        result[key] = merged(dict(below or {}), value) if both else value
    return result


class Fields:
    """The fields of one mapping; every read names what it read, so that the rest can be refused.

    Every method raises AgentDefinitionError if the field is not what it should be.
    """

    def __init__(self, file: str, content: Json, prefix: str = "") -> None:
        self.file = file
        self._content = content
        self._prefix = prefix
        self._read: set[str] = set()

    def error(self, name: str, problem: str) -> AgentDefinitionError:
        """An error about one field."""
        return AgentDefinitionError(f"{self.file}: {self._prefix}{name} {problem}")

    def text(self, name: str) -> str:
        """A text that is not empty."""
        value = self._take(name)
        if not isinstance(value, str) or not value.strip():
            raise self.error(name, "must be a text")
        return value.strip()

    def optional_text(self, name: str) -> str | None:
        """A text, or None where there is none."""
        return None if self._take(name) is None else self.text(name)

    def names(self) -> list[str]:
        """What the mapping holds, for one whose keys are not fixed."""
        for name in self._content:
            if not isinstance(name, str):
                # YAML reads +15551230000 as a number, and yes as a boolean.
                raise self.error(str(name), "must be written in quotation marks")
        return list(self._content)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean; *default* where it is left out."""
        value = self._take(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(name, "must be true or false")
        return value

    def number(self, name: str, low: float, high: float) -> float:
        """A number from *low* to *high*."""
        value = self._take(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(name, "must be a number")
        if not low <= value <= high:
            raise self.error(name, f"must be from {low:g} to {high:g}")
        return value

    def whole(self, name: str, low: int, high: int) -> int:
        """A whole number from *low* to *high*."""
        value = self.number(name, low, high)
        if not isinstance(value, int):
            raise self.error(name, "must be a whole number")
        return value

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        """One of *choices*."""
        value = self._take(name)
        value = default if value is None else value
        if value not in choices:
            raise self.error(name, f"must be one of {', '.join(choices)}")
        return str(value)

    def texts(self, name: str, *, at_least: int = 0, at_most: int | None = None) -> tuple[str, ...]:
        """A list of texts, all different from empty."""
        value = self._take(name)
        value = [] if value is None else value
        if not isinstance(value, list):
            raise self.error(name, "must be a list")
        if not all(isinstance(each, str) and each.strip() for each in value):
            raise self.error(name, "must hold texts only")
        if len(value) < at_least or (at_most is not None and len(value) > at_most):
            wanted = f"{at_least}" if at_least == at_most else f"at least {at_least}"
            raise self.error(name, f"must hold {wanted} texts")
        return tuple(each.strip() for each in value)

    def section(self, name: str) -> "Fields":
        """The mapping below *name*; empty where it is left out."""
        value = self._take(name)
        return self._below(name, {} if value is None else value)

    def sections(self, name: str) -> list["Fields"]:
        """The mappings in the list below *name*."""
        value = self._take(name)
        value = [] if value is None else value
        if not isinstance(value, list):
            raise self.error(name, "must be a list")
        return [self._below(f"{name}[{index}]", each) for index, each in enumerate(value)]

    def done(self) -> None:
        """Refuse the fields that nobody has read: most are misspelt."""
        for name in self._content:
            if name not in self._read:
                raise self.error(str(name), "is not a field")

    def _below(self, name: str, value: object) -> "Fields":
        if not isinstance(value, dict):
            raise self.error(name, "must be a mapping")
        return Fields(self.file, value, f"{self._prefix}{name}.")

    def _take(self, name: str) -> object:
        self._read.add(name)
        return self._content.get(name)

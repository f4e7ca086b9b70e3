"""Reads the environment, and says what is wrong with it: every variable by name, none by value."""

import math
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

from shared.errors import SettingsError

_MISSING: Any = object()
_MIN_KEY_CHARS = 16


class Reader:
    """Reads variables and collects what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._problems: list[str] = []

    def __call__(
        self, name: str, convert: Callable[[str], Any] = str, *, default: Any = _MISSING
    ) -> Any:
        """The variable *name*; empty counts as missing, as in a settings file.

        None where there is a problem: nobody sees it, because `raise_problems` ends it.
        """
        text = self._env.get(name, "").strip()
        if not text:
            if default is _MISSING:
                self.problem(f"{name} is missing")
                return None
            return default
        try:
            return convert(text)
        except ValueError:
            self.problem(f"{name} is malformed")
            return None

    def problem(self, text: str) -> None:
        """Note what is wrong."""
        self._problems.append(text)

    def raise_problems(self) -> None:
        """Raise if anything is wrong."""
        if self._problems:
            raise SettingsError("; ".join(self._problems))


def pairs(text: str) -> dict[str, str]:
    """Read ``general=+15550001,fraud=+15550002``."""
    items = [item.partition("=") for item in text.split(",") if item.strip()]
    if not all(key.strip() and value.strip() for key, _, value in items):
        raise ValueError
    return {key.strip().lower(): value.strip() for key, _, value in items}


def keys(text: str) -> tuple[str, ...]:
    """Read one key or several, separated by commas."""
    items = tuple(item.strip() for item in text.split(",") if item.strip())
    if not items or any(len(item) < _MIN_KEY_CHARS for item in items):
        raise ValueError
    return items


def url(text: str) -> str:
    """An address of a web service."""
    if not text.lower().startswith(("https://", "http://")):
        raise ValueError
    return text


def base64_text(text: str) -> str:
    """A key as Azure hands it out."""
    b64decode(text, validate=True)  # raises a ValueError
    return text


def socket_url(text: str) -> str:
    """An address of a WebSocket."""
    if not text.lower().startswith(("wss://", "ws://")):
        raise ValueError
    return text


def one_of(*choices: str) -> Callable[[str], str]:
    """One of *choices*, however it is capitalised."""
    spelling = {choice.lower(): choice for choice in choices}

    def read(text: str) -> str:
        if text.lower() not in spelling:
            raise ValueError
        return spelling[text.lower()]

    return read


def flag(text: str) -> bool:
    """Read ``true`` or ``false``, ``1`` or ``0``."""
    if text.lower() not in ("true", "1", "false", "0"):
        raise ValueError
    return text.lower() in ("true", "1")


def positive(text: str) -> float:
    """A finite number above zero."""
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value


def whole(text: str) -> int:
    """A whole number above zero."""
    value = int(text)
    if value <= 0:
        raise ValueError
    return value

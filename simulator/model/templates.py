"""Jinja templates of a script, with the few filters a spoken text needs."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from jinja2 import ChainableUndefined, StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

_DIGIT_WORDS = dict(
    zip(
        ("zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
        "00123456789",
        strict=True,
    )
)


class _Missing(ChainableUndefined, StrictUndefined):
    """Fails when it is spoken, so that a script never says nothing unnoticed.

    ``a.b.c | default("")`` works even if ``a`` is missing.
    """


class Templates:
    """Renders the templates of one script."""

    errors = (TemplateError, ValueError, TypeError)
    """What a template can fail with."""

    def __init__(self) -> None:
        self._environment = SandboxedEnvironment(undefined=_Missing, autoescape=False)
        self._environment.filters.update(money=money, sentences=sentences, digits=digits)

    def render(self, source: str, values: Mapping[str, Any]) -> str:
        """Render a text; white space at its ends is dropped, line breaks become spaces."""
        rendered = self._environment.from_string(source).render(values)
        return " ".join(rendered.split())

    def render_arguments(
        self,
        arguments: Mapping[str, Any],
        values: Mapping[str, Any],
        *,
        declared: Collection[str] | None,
    ) -> dict[str, Any]:
        """Render the strings among the *declared* arguments; what renders to nothing is left out.

        Args:
            arguments: By name.
            values: What the templates may name.
            declared: The names the tool knows; None: any.
        """
        rendered = {
            name: self.render(value, values) if isinstance(value, str) else value
            for name, value in arguments.items()
            if declared is None or name in declared
        }
        return {name: value for name, value in rendered.items() if value not in ("", None)}


def money(amount: float) -> str:
    """An amount of dollars as it is written: ``$1,234.50``; the sign is dropped."""
    return f"${abs(float(amount)):,.2f}"


def sentences(text: str, count: int) -> str:
    """The first *count* sentences of a text."""
    return " ".join(re.split(r"(?<=[.!?])\s+", text.strip())[:count])


def digits(text: str) -> str:
    """The digits of a text, written or spoken: "one two 3" is ``123``."""
    words = re.findall(r"\d|[a-z]+", text.lower())
    return "".join(word if word.isdigit() else _DIGIT_WORDS.get(word, "") for word in words)

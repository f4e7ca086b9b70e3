"""Jinja templates of prompts and lines, in a sandbox and strict about what is undefined."""

import functools
import json
from collections.abc import Mapping

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from shared.errors import AppError


class TemplateInvalidError(AppError):
    """A template is broken, or uses a variable that it is not given; never holds a value."""

    code = "template_invalid"


def render(source: str, variables: Mapping[str, object]) -> str:
    """The text of a template, blanks at both ends removed.

    Raises:
        TemplateInvalidError: It is broken or uses what *variables* does not hold.
    """
    try:
        return _compiled(source).render(variables).strip()
    except TemplateError as err:
        raise TemplateInvalidError(_problem(err)) from err
    except (TypeError, ValueError, ArithmeticError) as err:
        raise TemplateInvalidError("an expression does not fit its variables") from err


@functools.lru_cache(maxsize=256)  # most lines are those that all agents share
def variables_of(source: str) -> frozenset[str]:
    """The names that a template expects to be given.

    Raises:
        TemplateInvalidError: It is broken.
    """
    try:
        return frozenset(meta.find_undeclared_variables(_environment().parse(source)))
    except TemplateError as err:
        raise TemplateInvalidError(_problem(err)) from err


@functools.cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["quoted"] = _quoted
    return environment


@functools.lru_cache(maxsize=256)
def _compiled(source: str) -> Template:
    return _environment().from_string(source)


def _quoted(value: object) -> str:
    """Foreign words on one line and in quotation marks, so that they stay a quotation."""
    return json.dumps(" ".join(str(value).split()), ensure_ascii=False)


def _problem(error: TemplateError) -> str:
    if isinstance(error, TemplateSyntaxError):
        return f"syntax error in line {error.lineno}"
    # The message of an undefined variable names the variable; it quotes no value.
    return str(error.message)

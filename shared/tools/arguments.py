"""Arguments as the model wrote them, made to fit the tool's schema or refused.

Messages name fields of the schema and the rule that is broken, never a value: values are what a
caller said, and a field that the schema does not know may be one too.
"""

import copy
import math
import re
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import SchemaError

from shared.tools.failures import InvalidArgumentsError, ToolDefinitionError
from shared.types import Json

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")
_MAX_PROBLEMS = 5


def closed_parameters(parameters: Json) -> Json:
    """A copy of a JSON Schema object that admits declared properties only, at every level.

    Raises:
        ToolDefinitionError: It is no valid schema, no object, or expressly open.
    """
    schema = copy.deepcopy(parameters)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as err:
        where = "/".join(str(part) for part in err.absolute_path)
        raise ToolDefinitionError(f"parameters are not a JSON schema (at '{where}')") from err
    if schema.setdefault("type", "object") != "object":
        raise ToolDefinitionError("parameters must be of type object")
    schema.setdefault("properties", {})
    _close(schema)
    return schema


def _close(schema: Any) -> None:
    """Add ``additionalProperties: false`` wherever properties are declared."""
    if not isinstance(schema, dict):
        return
    if "properties" in schema:
        if schema.setdefault("additionalProperties", False) is not False:
            raise ToolDefinitionError("additionalProperties must be false")
        for child in schema["properties"].values():
            _close(child)
    _close(schema.get("items"))


class ArgumentRules:
    """The compiled schema of one tool's arguments.

    Args:
        schema: As `closed_parameters` returns it.
    """

    def __init__(self, schema: Json) -> None:
        self._schema = schema
        self._validator = Draft202012Validator(schema)

    def accept(self, arguments: object) -> Json:
        """The arguments to run the tool with: a new object, coerced, defaults applied, valid.

        Harmless differences are mended: surrounding blanks, ``"5"`` where a number is wanted,
        ``"true"`` where a boolean is, ``None`` where a property may be left out.

        Raises:
            InvalidArgumentsError: Naming the fields and the rules they break.
        """
        if not isinstance(arguments, dict):
            raise InvalidArgumentsError("Invalid arguments: they must be one JSON object.")
        accepted: Json = _coerce(arguments, self._schema)
        problems = [f"{path} must be a finite number" for path in _not_finite(accepted)]
        if not problems:
            errors = sorted(self._validator.iter_errors(accepted), key=_position)
            problems = list(dict.fromkeys(_describe(error) for error in errors))
        if problems:
            raise InvalidArgumentsError(
                "Invalid arguments: " + "; ".join(problems[:_MAX_PROBLEMS]) + "."
            )
        return accepted


def _coerce(value: Any, schema: Any) -> Any:
    if not isinstance(schema, dict):
        return value
    if isinstance(value, dict):
        return _coerce_object(value, schema)
    if isinstance(value, list):
        return [_coerce(item, schema.get("items")) for item in value]
    kinds = _kinds(schema)
    if isinstance(value, str):
        return _coerce_text(value.strip(), kinds)
    if isinstance(value, float) and "integer" in kinds and value.is_integer():
        return int(value)
    return value


def _coerce_object(value: Mapping[str, Any], schema: Json) -> Json:
    properties: Json = schema.get("properties", {})
    coerced: Json = {}
    for name, item in value.items():
        declared = properties.get(name)
        if item is None and declared is not None and "null" not in _kinds(declared):
            continue
        coerced[name] = _coerce(item, declared)
    for name, declared in properties.items():
        if isinstance(declared, dict) and "default" in declared and name not in coerced:
            coerced[name] = copy.deepcopy(declared["default"])
    return coerced


def _coerce_text(text: str, kinds: set[str]) -> object:
    if "string" in kinds or not kinds:
        return text
    if "integer" in kinds and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in kinds and _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    if "boolean" in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    return text


def _kinds(schema: Any) -> set[str]:
    kinds = schema.get("type", []) if isinstance(schema, dict) else []
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _not_finite(value: Any, path: str = "") -> list[str]:
    """Paths of NaN and infinities: Python reads them from JSON, and every limit lets NaN pass."""
    if isinstance(value, dict):
        # Only one level of names is ours for certain; deeper ones are reported by their parent.
        found = [(path or name, item) for name, item in value.items()]
        return [hit for name, item in found for hit in _not_finite(item, name)]
    if isinstance(value, list):
        return [hit for item in value for hit in _not_finite(item, path)]
    return [path] if isinstance(value, float) and not math.isfinite(value) else []


def _position(error: ValidationError) -> str:
    return "/".join(str(part) for part in error.absolute_path)


_RULES: dict[str, str] = {
    "required": "must include {}",
    "additionalProperties": "may only include {}",
    "type": "must be of type {}",
    "enum": "must be one of {}",
    "const": "must be {}",
    "pattern": "must match {}",
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be greater than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
    "minLength": "must be at least {} characters long",
    "maxLength": "must be at most {} characters long",
    "minItems": "must have at least {} items",
    "maxItems": "must have at most {} items",
}


def _describe(error: ValidationError) -> str:
    rule = str(error.validator)
    wanted: Any = error.validator_value
    if rule == "required" and isinstance(error.instance, dict):
        wanted = [name for name in wanted if name not in error.instance]
    elif rule == "additionalProperties" and isinstance(error.schema, dict):
        wanted = list(error.schema["properties"]) or "nothing"
    names = ", ".join(str(each) for each in wanted) if isinstance(wanted, list) else str(wanted)
    text = _RULES.get(rule, f"breaks the rule {rule}").format(names)
    return f"{_position(error) or 'the arguments'} {text}"

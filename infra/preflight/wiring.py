"""Do the templates fit together? What the compiler would say first, said without it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import tree_sitter

from infra.preflight.findings import Finding
from infra.preflight.templates import Template, Templates, walk

CHECK = "templates fit together"

_FUNCTIONS = frozenset(
    {"any", "array", "concat", "contains", "empty", "environment", "format", "guid", "int"}
    | {"json", "length", "loadJsonContent", "loadTextContent", "newGuid", "resourceGroup"}
    | {"resourceId", "string", "subscription", "subscriptionResourceId", "take", "tenant"}
    | {"toLower", "union", "uniqueString", "utcNow"}
)
_DECORATORS = frozenset(
    {"description", "secure", "allowed", "minValue", "maxValue", "minLength", "maxLength"}
)
_DECLARATIONS = (
    "parameter_declaration",
    "variable_declaration",
    "resource_declaration",
    "module_declaration",
    "output_declaration",
)
_OUTPUT = re.compile(r"\b(\w+)\.outputs\.(\w+)")
_LOADED = re.compile(r"load(?:Text|Json)Content\('([^']+)'\)")


def check(templates: Templates, folder: Path) -> Iterator[Finding]:
    """Names that are not declared, parameters and outputs that do not match, files not there."""
    for file in templates.files.values():
        for name in sorted(_undeclared(file.syntax)):
            yield Finding(CHECK, file.name, f"{name} is not declared")
        for path in _LOADED.findall(file.text):
            if not ((folder / file.name).parent / path).is_file():
                yield Finding(CHECK, file.name, f"{path} does not exist")
        yield from _modules(templates, file)
    yield from _parameters(templates, folder)
    yield from _unused(templates)


def _undeclared(syntax: tree_sitter.Node) -> set[str]:
    declared: set[str] = set(_FUNCTIONS | _DECORATORS)
    used: set[str] = set()
    for node in walk(syntax):
        if node.type in _DECLARATIONS:
            declared.add(_text(node.named_children[0]))
        elif node.type in ("loop_variable", "loop_enumerator"):
            declared.add(_text(node))
        elif node.type == "for_statement" and node.named_children[0].type == "identifier":
            declared.add(_text(node.named_children[0]))
        elif node.type == "identifier" and not _is_key(node):
            used.add(_text(node))
    return used - declared


def _is_key(node: tree_sitter.Node) -> bool:
    parent = node.parent
    if parent is None or parent.type != "object_property":
        return False
    return parent.named_children[0] == node


def _text(node: tree_sitter.Node) -> str:
    return node.text.decode() if node.text else ""


def _modules(templates: Templates, file: Template) -> Iterator[Finding]:
    modules = file.modules()
    for symbol, (path, body) in modules.items():
        module = templates.files.get(path)
        if module is None:
            yield Finding(CHECK, f"{file.name} {symbol}", f"there is no usable template {path}")
            continue
        given, known = set(body.get("params", {})), module.declared("parameters")
        for name in sorted(_required(module) - given):
            yield Finding(CHECK, f"{file.name} {symbol}", f"parameter {name} is missing")
        for name in sorted(given - set(known)):
            yield Finding(CHECK, f"{file.name} {symbol}", f"{path} has no parameter {name}")
    for symbol, output in sorted(set(_OUTPUT.findall(file.text))):
        path = modules.get(symbol, ("", {}))[0]
        if path in templates.files and output not in templates.files[path].declared("outputs"):
            yield Finding(CHECK, f"{file.name} {symbol}", f"{path} has no output {output}")


def _required(file: Template) -> set[str]:
    every = file.declared("parameters")
    return {name for name, one in every.items() if one["default"] is None}


def _parameters(templates: Templates, folder: Path) -> Iterator[Finding]:
    main = templates.files.get("main.bicep")
    if main is None:
        yield Finding(CHECK, "main.bicep", "is missing or does not parse")
        return
    text = (folder / "main.parameters.json").read_text(encoding="utf-8")
    given, known = set(json.loads(text)["parameters"]), main.declared("parameters")
    for name in sorted(given - set(known)):
        yield Finding(CHECK, "main.parameters.json", f"main.bicep has no parameter {name}")
    for name in sorted(_required(main) - given):
        yield Finding(CHECK, "main.parameters.json", f"parameter {name} is missing")


def _unused(templates: Templates) -> Iterator[Finding]:
    entries = ("main.bicep", "events.bicep")
    composed = {path for file in templates.files.values() for path, _ in file.modules().values()}
    for name, file in templates.files.items():
        if name not in entries and name not in composed:
            yield Finding(CHECK, name, "no template composes it")
        for parameter in file.declared("parameters"):
            if len(re.findall(rf"\b{parameter}\b", file.text)) < 2:
                yield Finding(CHECK, name, f"parameter {parameter} is used nowhere")

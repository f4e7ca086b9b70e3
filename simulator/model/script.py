"""The script a model answers by: rules read from YAML, the first that matches wins.

A script has no memory: what it answers depends on the request alone, so that any number of
conversations, and a turn that is run again, can share one server.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from simulator.model.conversation import Conversation
from simulator.model.templates import Templates

_RULE_KEYS = {"name", "when", "say", "call", "first_token_ms", "ms_per_token"}
_WHEN_KEYS = {"agent", "last", "says", "after_tool", "result", "offers", "knows"}
_ROLES = {"user", "tool", "assistant", "system"}
_NOT_UNDERSTOOD = "Sorry, I did not understand that. Could you say it in other words?"


class ScriptError(Exception):
    """A script cannot be used; the text names the rule."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How fast a model answers."""

    first_token_ms: float = 5.0
    ms_per_token: float = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of a reply."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model answers to one request."""

    text: str
    calls: tuple[Call, ...] = ()
    first_token_ms: float | None = None
    """None: as the server is set."""
    ms_per_token: float | None = None


@dataclass(frozen=True, slots=True)
class When:
    """What a rule asks for; what is left out always holds."""

    agent: str = ""
    last: str = ""
    says: re.Pattern[str] | None = None
    after_tool: str = ""
    result: re.Pattern[str] | None = None
    offers: frozenset[str] = frozenset()
    knows: frozenset[str] = frozenset()
    """Tools that have returned ``"success": true`` anywhere in the conversation."""

    def match(self, seen: Conversation) -> Mapping[str, str] | None:
        """The named groups of `says` if the rule matches, else None."""
        found = self.says.search(seen.user_text) if self.says else None
        holds = (
            self.agent in {"", seen.agent}
            and self._matches_last(seen)
            and (self.says is None or found is not None)
            and self.after_tool in {"", seen.last_tool}
            and (self.result is None or self.result.search(seen.last_result) is not None)
            and self.offers <= seen.offered.keys()
            and all(seen.results.get(tool, {}).get("success") is True for tool in self.knows)
        )
        if not holds:
            return None
        groups = found.groupdict() if found else {}
        return {name: text or "" for name, text in groups.items()}

    def _matches_last(self, seen: Conversation) -> bool:
        if self.last == "assistant":
            return bool(seen.said)
        return self.last in {"", seen.last}


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a script."""

    name: str
    when: When
    say: str = ""
    call: tuple[Call, ...] = ()
    first_token_ms: float | None = None
    ms_per_token: float | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """Rules for a model, and the lines of a caller who talks to it."""

    rules: tuple[Rule, ...]
    caller: tuple[str, ...] = ()
    _templates: Templates = field(default_factory=Templates, repr=False, compare=False)

    @classmethod
    def load(cls, path: Path) -> "Script":
        """Read a script from a YAML file.

        Raises:
            ScriptError: The file is not a script; the text names the rule and what is wrong.
        """
        return cls.parse(yaml.safe_load(path.read_text(encoding="utf-8")))

    @classmethod
    def parse(cls, data: object) -> "Script":
        """Read a script from ``{"rules": […], "caller": [{"say": …}]}``.

        Raises:
            ScriptError: It is not a script; the text names the rule and what is wrong.
        """
        content = _mapping(data, "the script", {"rules", "caller"})
        caller = tuple(
            str(_mapping(line, f"caller line {number}", {"say"}).get("say", ""))
            for number, line in enumerate(content.get("caller") or (), start=1)
        )
        rules = content.get("rules") or ()
        return cls(tuple(_read_rule(rule, n) for n, rule in enumerate(rules, start=1)), caller)

    def answer(self, seen: Conversation) -> Reply:
        """Answer a request by the first rule that matches.

        A rule that calls a tool which is not offered does not match, and arguments that an offered
        tool does not declare are left out, as are those that render to nothing. What was already
        said of the reply (`Conversation.said`) is left out of it, too.

        Raises:
            ScriptError: A template of the rule names what the conversation does not have.
        """
        for rule in self.rules:
            groups = rule.when.match(seen)
            if groups is not None and {call.tool for call in rule.call} <= seen.offered.keys():
                return self._render(rule, seen, groups)
        return Reply(without_said(_NOT_UNDERSTOOD, seen.said))

    def _render(self, rule: Rule, seen: Conversation, groups: Mapping[str, str]) -> Reply:
        values = {
            **groups,
            "user": seen.user_text,
            "result": seen.results.get(seen.last_tool, {}),
            "results": seen.results,
        }
        try:
            text = self._templates.render(rule.say, values)
            calls = tuple(
                Call(
                    call.tool,
                    self._templates.render_arguments(
                        call.arguments, values, declared=seen.offered[call.tool]
                    ),
                )
                for call in rule.call
            )
        except self._templates.errors as err:
            raise ScriptError(f"{rule.name}: {err}") from err
        said = without_said(text, seen.said)
        return Reply(said, calls, rule.first_token_ms, rule.ms_per_token)


def without_said(text: str, said: str) -> str:
    """Leave out what was already said: the beginning of *text* that *said* ends with."""
    words = list(re.finditer(r"\S+", text))
    heard = said.split()
    for count in range(min(len(words), len(heard)), 0, -1):
        if [word[0] for word in words[:count]] == heard[-count:]:
            return text[words[count - 1].end() :].lstrip()
    return text


def _read_rule(data: object, number: int) -> Rule:
    rule = _mapping(data, f"rule {number}", _RULE_KEYS)
    name = str(rule.get("name") or f"rule {number}")
    calls = []
    for call in rule.get("call") or ():
        entry = _mapping(call, f"{name}: call", {"tool", "arguments"})
        if not isinstance(entry.get("tool"), str):
            raise ScriptError(f"{name}: a call names no tool")
        calls.append(Call(entry["tool"], entry.get("arguments") or {}))
    return Rule(
        name=name,
        when=_read_when(_mapping(rule.get("when") or {}, f"{name}: when", _WHEN_KEYS), name),
        say=str(rule.get("say") or ""),
        call=tuple(calls),
        first_token_ms=rule.get("first_token_ms"),
        ms_per_token=rule.get("ms_per_token"),
    )


def _read_when(data: Mapping[str, Any], name: str) -> When:
    after_tool = str(data.get("after_tool") or "")
    # Without this, a rule about the caller's words would match again after each tool it called.
    implied = "tool" if after_tool else "user" if "says" in data else ""
    last = str(data.get("last") or implied)
    if last and last not in _ROLES:
        raise ScriptError(f"{name}: last is none of {', '.join(sorted(_ROLES))}")
    return When(
        agent=str(data.get("agent") or ""),
        last=last,
        says=_pattern(data.get("says"), name),
        after_tool=after_tool,
        result=_pattern(data.get("result"), name),
        offers=_names(data.get("offers"), name),
        knows=_names(data.get("knows"), name),
    )


def _pattern(source: object, name: str) -> re.Pattern[str] | None:
    if source is None:
        return None
    try:
        return re.compile(str(source), re.IGNORECASE)
    except re.error as err:
        raise ScriptError(f"{name}: {err}") from err


def _names(source: object, name: str) -> frozenset[str]:
    if source is None:
        return frozenset()
    if not isinstance(source, list):
        raise ScriptError(f"{name}: offers and knows are lists of tool names")
    return frozenset(map(str, source))


def _mapping(data: object, name: str, keys: set[str]) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise ScriptError(f"{name} is not a mapping")
    unknown = sorted(str(key) for key in data.keys() - keys)
    if unknown:
        raise ScriptError(f"{name} has unknown keys: {', '.join(unknown)}")
    return data

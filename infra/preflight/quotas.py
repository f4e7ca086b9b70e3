"""What the subscription must allow, computed from the template's own numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from infra.preflight.templates import Templates

TOKENS_PER_TURN = 3_500
"""Two requests of 1,600 tokens of prompt and 150 of reply: a turn with one tool."""
TURNS_PER_MINUTE = 4
"""Of one call: the caller speaks, the agent answers, fifteen seconds."""
FLEX_CORES = 250
"""Of a region, for all Flex apps of a subscription together, unless Microsoft raises it."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Something that is limited."""

    name: str
    need: str
    limit: str
    where: str
    """Where the limit is looked up and raised."""

    def __str__(self) -> str:
        return f"{self.name}: needs {self.need}; {self.limit} ({self.where})"


def calls_at_once(tokens_per_minute: int) -> int:
    """How many calls a quota of the model carries, if all of them talk all the time."""
    return tokens_per_minute // (TOKENS_PER_TURN * TURNS_PER_MINUTE)


def models(templates: Templates) -> dict[str, int]:
    """The models by name, and the thousands of tokens a minute that main.bicep deploys."""
    main, ai = _defaults(templates, "main.bicep"), _defaults(templates, "app/ai.bicep")
    return {
        main["chatModelName"]: main["chatCapacity"],
        ai["embeddingModelName"]: main["embeddingCapacity"],
    }


def _defaults(templates: Templates, name: str) -> dict[str, Any]:
    known = templates.files[name].declared("parameters")
    return {name: one["default"] for name, one in known.items()}


def listed(templates: Templates) -> Iterator[Quota]:
    """Every quota that the defaults of main.bicep need."""
    defaults = _defaults(templates, "main.bicep")
    instances, concurrency = defaults["maximumInstances"], defaults["httpConcurrency"]
    yield Quota(
        "Flex Consumption",
        f"{instances} cores of 2048 MB for up to {instances * concurrency} executions at once",
        f"{FLEX_CORES} cores a region by default",
        "az functionapp list-usage, support request",
    )
    for (model, thousands), is_chat in zip(models(templates).items(), (True, False), strict=True):
        calls = f", which carry {calls_at_once(thousands * 1000)} calls at once" if is_chat else ""
        yield Quota(
            f"{model} GlobalStandard",
            f"{thousands},000 tokens a minute{calls}",
            "depends on subscription and region",
            "az cognitiveservices usage list --location",
        )
    yield Quota(
        "Speech S0",
        "one recognition and one synthesis for each call that is listened or spoken to",
        "100 recognitions at once and 200 syntheses a second by default",
        "portal, support request",
    )
    yield Quota(
        "Azure Communication Services",
        "one call leg for each call, another one while it is transferred",
        "phone numbers: see docs/deployment.md",
        "portal",
    )
    yield Quota("Azure Managed Redis", f"one {defaults['redisSku']}", "by region", "portal")

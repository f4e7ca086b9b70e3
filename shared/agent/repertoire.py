"""What an agent says to a caller it knows nothing about: known before anybody calls."""

from collections.abc import Iterator

from shared.agent.definition import LINE_NAMES, AgentDefinition
from shared.agent.loader import render_line


def repertoire(agent: AgentDefinition) -> Iterator[str]:
    """Every line as a stranger who called us hears it, each once."""
    lines = agent.lines
    stranger = {"agent_name": agent.name, "caller_name": None, "reason": ""}
    greetings = (agent.greeting, agent.return_greeting)
    templates = (
        *lines.reprompts,
        *(getattr(lines, name) for name in LINE_NAMES),
    )
    greeted = (
        render_line(template, {**stranger, "is_continued": is_continued})
        for template in greetings
        for is_continued in (False, True)
    )
    rendered = (render_line(template, stranger) for template in templates)
    yield from dict.fromkeys((*lines.fillers, *greeted, *rendered))

"""What an agent says to a caller it knows nothing about: known before anybody calls."""

from collections.abc import Iterator

from shared.agent.loader import AgentDefinition, render_line


def repertoire(agent: AgentDefinition) -> Iterator[str]:
    """Every line as a stranger who called us hears it, each once."""
    lines = agent.lines
    stranger = {"agent_name": agent.name, "caller_name": None, "reason": ""}
    templates = (
        agent.greeting,
        agent.return_greeting,
        *lines.reprompts,
        lines.not_understood,
        lines.trouble,
        lines.offer_human,
        lines.goodbye,
        lines.transfer_failed,
    )
    rendered = (render_line(template, stranger) for template in templates)
    yield from dict.fromkeys((*lines.fillers, *rendered))

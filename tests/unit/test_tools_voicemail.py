"""The tool that lets a caller leave a message."""

from dataclasses import replace

from shared.tools.registry import build_registry
from tests.unit.tool_fakes import context, services

REGISTRY = build_registry()


async def test_leave_voicemail_asks_the_call_to_record() -> None:
    """The tool promises nothing: the recording has not begun."""
    who = context(using=replace(services(), takes_voicemail=True))
    result = await REGISTRY.execute("leave_voicemail", {}, who)
    assert (result["success"], result["voicemail_requested"]) == (True, True)
    assert "when you have finished speaking" in result["message"]


async def test_leave_voicemail_is_refused_where_nobody_would_hear_it() -> None:
    """Without a speech service the message would lie unheard; a callback is offered instead."""
    result = await REGISTRY.execute("leave_voicemail", {}, context())
    assert result["error"] == "refused:speech_service"
    assert "schedule_callback" in result["message"]


async def test_leave_voicemail_is_for_agents_only() -> None:
    """A client over HTTP has no call to record."""
    who = context(channel="http", using=replace(services(), takes_voicemail=True))
    result = await REGISTRY.execute("leave_voicemail", {}, who)
    assert not result["success"]

"""Names for the values that travel through the whole app."""

from typing import Any, NewType

SessionId = NewType("SessionId", str)
"""One conversation with one caller; a UUIDv7 as text, ours."""

CallConnectionId = NewType("CallConnectionId", str)
"""The ACS leg of a session; a GUID, theirs."""

EventId = NewType("EventId", str)
"""What happened, the same on every redelivery."""

CommandId = NewType("CommandId", str)
"""What we decided to do, unique in its session; also the ACS operation context."""

AgentName = NewType("AgentName", str)
"""The name of an agent definition, for example ``concierge``."""

ToolName = NewType("ToolName", str)
"""The name of a registered tool, for example ``get_account_summary``."""

Json = dict[str, Any]
"""A JSON object."""

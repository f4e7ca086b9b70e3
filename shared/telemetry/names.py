"""Every name under which telemetry is found: of spans, of attributes and of their values.

Those of the GenAI and database conventions are OpenTelemetry's; ``voice.*`` are ours. An attribute
with a ``pii`` segment may hold what a person said or is called; it is dropped unless the settings
allow it.
"""

# --- spans ------------------------------------------------------------------------------------

SPAN_EVENT = "event"
"""One event handled, from its arrival until what follows from it is done or under way."""
SPAN_TAKEOVER = "take over"
"""What a dead instance left is done by this one."""
SPAN_TURN = "turn"
"""One cue to the end of the agent's reply."""
SPAN_AGENT = "invoke_agent"
"""One agent's part in a turn; a handoff begins another one."""
SPAN_CHAT = "chat"
"""One request to the model, a second attempt included."""
SPAN_TOOL = "execute_tool"
SPAN_LEASE = "wait for lease"
"""A resource of a pool was not to be had at once."""
SPAN_PROMPT = "synthesize prompt"
SPAN_RECORDING = "transcribe recording"
SPAN_ACS = "acs"
"""One operation of the telephone service, its repetitions included."""
SPAN_REDIS = "redis"
"""One round trip to the session store, as part of something else."""
SPAN_COSMOS = "cosmos"
"""One call of the database, as part of something else; a missing document is an answer."""
SPAN_EMBEDDINGS = "embeddings"

# --- whose it is ------------------------------------------------------------------------------

SESSION_ID = "session.id"
CALL_CONNECTION_ID = "call.connection.id"

OF_FACTS = {"session_id": SESSION_ID, "call_connection_id": CALL_CONNECTION_ID}
"""Facts of the log that every span carries too."""

# --- what happened ----------------------------------------------------------------------------

ERROR_TYPE = "error.type"
"""The name of an error's class or its code; never its text."""
PEER = "peer.service"
EVENT_KIND = "voice.event.kind"
EVENT_OUTCOME = "voice.event.outcome"
"""``applied``, ``duplicate`` (seen before) or ``stale`` (it comes too late)."""
PHASE = "voice.session.phase"
COMMANDS = "voice.commands"
"""How many commands followed."""
COMMAND = "voice.command.id"

TURN = "voice.turn.number"
TURN_CUE = "voice.turn.cue"
TURN_AFTER = "voice.turn.after"
TURN_DEGRADED = "voice.turn.is_degraded"
TURN_SILENCE_MS = "voice.turn.silence_ms"
"""From the event to the acceptance of the first words; absent where nobody listens."""
TURN_STAGE_MS = "voice.turn.stage_ms."
"""Prefix: the milliseconds of a stage of the turn."""
CALLER_SAID = "voice.pii.caller_said"
TOOL_ARGUMENTS = "voice.pii.tool_arguments"
HANDOFF_FROM = "voice.handoff.from"

TOOL_OUTCOME = "voice.tool.outcome"
"""``ok``, or the code under which the model is told of the failure."""
POOL = "voice.pool.name"
POOL_TIER = "voice.pool.tier"
POOL_WAIT_MS = "voice.pool.wait_ms"
VOICE = "voice.speech.voice"
CHARACTERS = "voice.speech.characters"
FIRST_BYTE_MS = "voice.speech.first_byte_ms"

# --- OpenTelemetry's --------------------------------------------------------------------------

GEN_AI_OPERATION = "gen_ai.operation.name"
GEN_AI_PROVIDER = "gen_ai.provider.name"
GEN_AI_SYSTEM = "gen_ai.system"
"""The provider's name in older conventions: Application Insights still goes by it."""
GEN_AI_CONVERSATION = "gen_ai.conversation.id"
GEN_AI_AGENT = "gen_ai.agent.name"
GEN_AI_REQUEST_MODEL = "gen_ai.request.model"
GEN_AI_RESPONSE_MODEL = "gen_ai.response.model"
GEN_AI_FINISH_REASONS = "gen_ai.response.finish_reasons"
GEN_AI_FIRST_CHUNK_S = "gen_ai.response.time_to_first_chunk"
GEN_AI_INPUT_TOKENS = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
GEN_AI_TOOL = "gen_ai.tool.name"
DB_SYSTEM = "db.system"
DB_OPERATION = "db.operation"

AZURE_OPENAI = "azure.ai.openai"
PEER_MODEL = "Azure OpenAI"
PEER_ACS = "Azure Communication Services"
PEER_SPEECH = "Azure Speech"
PEER_REDIS = "Redis"
PEER_COSMOS = "Azure Cosmos DB"

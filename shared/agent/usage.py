"""What a turn's model calls have used, summed up."""

from shared.agent.completions import Completion
from shared.types import Json

_NOTHING: Json = {"input_tokens": 0, "cached_tokens": 0, "output_tokens": 0, "tokens": {}}


def usage_with(usage: Json, completion: Completion) -> Json:
    """*usage* and one more model call; ``tokens`` tells models apart, and what was cached.

    Empty before the first one, and where a call failed before its end: what that used, nobody told.
    """
    usage = {**_NOTHING, **usage}
    cached = completion.cached_tokens
    counts = {
        "input": completion.input_tokens - cached,
        "cached": cached,
        "output": completion.output_tokens,
    }
    tokens = usage["tokens"]
    before = tokens.get(completion.model, {})
    summed = {kind: before.get(kind, 0) + count for kind, count in counts.items()}
    return {
        "model": completion.model,
        "input_tokens": usage["input_tokens"] + completion.input_tokens,
        "cached_tokens": usage["cached_tokens"] + cached,
        "output_tokens": usage["output_tokens"] + completion.output_tokens,
        "tokens": {**tokens, completion.model: summed},
    }

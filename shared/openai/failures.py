"""What the openai SDK raises, in the app's terms, and whether a second attempt would help."""

import json
import random

import httpx2
import openai

from shared.errors import (
    ContentFilteredError,
    UpstreamError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
)

VENDOR_ERRORS = (openai.OpenAIError, json.JSONDecodeError, UnicodeDecodeError)
"""What the SDK raises; the latter two when an answer or a chunk of it is not JSON text."""


def retry_delay_s(err: Exception) -> float | None:
    """How long to wait before a second attempt; None if it would not help."""
    jitter_s = random.uniform(0.05, 0.2)  # noqa: S311 - spreads load, protects nothing
    if isinstance(err, openai.RateLimitError):
        asked_s = _retry_after_s(err)
        return jitter_s if asked_s is None else asked_s
    if isinstance(err, openai.APITimeoutError):
        # A silent service has had its time; a connection that was not made has cost little.
        return jitter_s if isinstance(err.__cause__, httpx2.ConnectTimeout) else None
    if isinstance(err, openai.APIConnectionError | openai.InternalServerError):
        return jitter_s
    return None


def translated(err: Exception) -> UpstreamError:
    """Name the failure in the app's terms, without the service's words."""
    if isinstance(err, openai.APIError) and err.code == "content_filter":
        return ContentFilteredError("the content filter refused the request")
    if isinstance(err, openai.RateLimitError):
        return UpstreamThrottledError("the model is busy", retry_after_s=_retry_after_s(err))
    if isinstance(err, openai.APITimeoutError):
        return UpstreamTimeoutError("the model did not answer in time")
    if isinstance(err, openai.APIStatusError):
        return UpstreamError(f"the model refused the request with status {err.status_code}")
    if isinstance(err, openai.APIConnectionError):
        return UpstreamError("the connection to the model failed")
    return UpstreamError("the model sent what cannot be read")


def _retry_after_s(err: openai.RateLimitError) -> float | None:
    for header, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(err.response.headers[header])) * unit_s
        except (KeyError, ValueError):  # absent, or a date: Azure sends numbers
            continue
    return None

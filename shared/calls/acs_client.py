"""The client of Azure Communication Services, made so that nothing is retried behind our back."""

from urllib.parse import urlsplit

from azure.communication.callautomation.aio import CallAutomationClient
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.rest import HttpRequest, HttpResponse

from shared.auth.acs import key_credential, normalised

API_VERSION = "2026-03-12"
"""Pinned: ACS switches preview versions off overnight, and callbacks follow this version."""


class StorageGateway(SansIOHTTPPolicy[HttpRequest, HttpResponse]):
    """Sends what is meant for the storage hosts of ACS to a stand-in of them.

    The SDK fetches recordings from those hosts only; its signature does not cover the host.
    """

    def __init__(self, gateway_url: str) -> None:
        super().__init__()
        self._gateway_url = gateway_url.rstrip("/")

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        """Change the host."""
        parts = urlsplit(request.http_request.url)
        query = f"?{parts.query}" if parts.query else ""
        request.http_request.url = f"{self._gateway_url}{parts.path}{query}"


def connect_client(
    endpoint: str,
    credential: str | AsyncTokenCredential,
    *,
    timeout_s: float,
    storage_gateway: str | None = None,
) -> CallAutomationClient:
    """Make the client; nothing is sent yet.

    Args:
        endpoint: Of the ACS resource; plain ``http`` works with an access key only.
        credential: An access key (base64), or a credential for Entra tokens.
        timeout_s: For one answer.
        storage_gateway: Where everything is sent instead; for a client that fetches recordings
            from a stand-in.

    Raises:
        SettingsError: The endpoint is not a URL, or the access key is not base64.
    """
    return CallAutomationClient(
        normalised(endpoint),
        key_credential(credential) if isinstance(credential, str) else credential,
        api_version=API_VERSION,
        # The SDK would send play and recognize again after a 5xx, and offers no switch per
        # call; what may be repeated is repeated by `attempts.py`.
        retry_total=0,
        connection_timeout=min(2.0, timeout_s),
        read_timeout=timeout_s,
        per_call_policies=[StorageGateway(storage_gateway)] if storage_gateway else [],
    )

"""Text messages and e-mails through Azure Communication Services.

Neither an address nor a text goes into an error or a log.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from azure.communication.email.aio import EmailClient
from azure.communication.sms.aio import SmsClient
from azure.core.credentials import AzureKeyCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError

from shared.errors import UpstreamError, UpstreamTimeoutError
from shared.tools.failures import ToolFailedError

_ANSWER_S = 5.0
"""For one message to be accepted."""
_CONFIRM_S = 2.0
"""For an e-mail to be sent on; after that it is on its way, and still may fail."""
_POLL_S = 0.5

T = TypeVar("T")
Credential = AzureKeyCredential | AsyncTokenCredential


class AcsDelivery:
    """A `CodeDelivery`; a sender that is None is a way that there is not."""

    def __init__(
        self,
        endpoint: str,
        credential: Credential,
        *,
        sms_sender: str | None,
        email_sender: str | None,
    ) -> None:
        # What may be sent again is decided by whoever asks for it, and never by the SDK.
        once = {"retry_total": 0, "connection_timeout": 2.0, "read_timeout": _ANSWER_S}
        self._sms = SmsClient(endpoint, credential, **once) if sms_sender else None
        self._email = EmailClient(endpoint, credential, **once) if email_sender else None
        self._sms_sender = sms_sender or ""
        self._email_sender = email_sender or ""

    @property
    def methods(self) -> frozenset[str]:
        """The ways that have a sender."""
        clients = {"sms": self._sms, "email": self._email}
        return frozenset(name for name, client in clients.items() if client is not None)

    async def send_sms(self, to: str, text: str) -> None:
        """Send a text message; returns when the service has accepted it.

        Raises:
            ToolFailedError: There is no sender, or the number cannot be reached so.
            UpstreamError: The service failed or did not answer; it may have gone out.
        """
        client = self._sms
        if client is None:
            raise ToolFailedError("Text messages cannot be sent from here.")
        results = await _asked(lambda: client.send(from_=self._sms_sender, to=to, message=text))
        if any(not each.successful for each in results):
            if any(each.http_status_code >= 500 for each in results):
                raise UpstreamError("the SMS service failed")
            raise ToolFailedError("The number cannot be reached by text message.")

    async def send_email(self, to: str, subject: str, text: str) -> None:
        """Send an e-mail; returns when it was sent on, or is on its way for a while.

        Raises:
            ToolFailedError: There is no sender, or the mailbox is refused.
            UpstreamError: The service failed or did not answer; it may have gone out.
        """
        client = self._email
        if client is None:
            raise ToolFailedError("E-mails cannot be sent from here.")
        message = {
            "senderAddress": self._email_sender,
            "recipients": {"to": [{"address": to}]},
            "content": {"subject": subject, "plainText": text},
        }
        poller = await _asked(lambda: client.begin_send(message, polling_interval=_POLL_S))
        try:
            async with asyncio.timeout(_CONFIRM_S):
                await poller.result()
        except TimeoutError:
            # Accepted, and not refused so far: more is not to be known while the caller waits.
            return
        except HttpResponseError as err:
            if err.status_code is not None and err.status_code >= 400:
                raise UpstreamError("the e-mail service failed") from err
            raise ToolFailedError("The e-mail was refused.") from err
        except AzureError as err:
            raise UpstreamError("the e-mail service is unreachable") from err

    async def aclose(self) -> None:
        """Close the connections."""
        for client in (self._sms, self._email):
            if client is not None:
                await client.close()


async def _asked(ask: Callable[[], Awaitable[T]]) -> T:
    try:
        async with asyncio.timeout(_ANSWER_S):
            return await ask()
    except TimeoutError as err:
        raise UpstreamTimeoutError("the message service did not answer in time") from err
    except HttpResponseError as err:
        status = err.status_code or 500
        if 400 <= status < 500 and status not in (401, 403, 408, 429):
            raise ToolFailedError("The message was refused.") from err
        raise UpstreamError("the message service failed") from err
    except AzureError as err:
        raise UpstreamError("the message service is unreachable") from err

"""How messages go out; `shared.resources` builds this when the first one does."""

from typing import Protocol

from azure.core.credentials_async import AsyncTokenCredential

from shared.auth.acs import key_credential, normalised
from shared.pools.lazy import Lazy
from shared.settings import Settings
from shared.tools.acs_delivery import AcsDelivery


class Parts(Protocol):
    """The parts this is made of; `shared.resources.Resources` has them."""

    credential: Lazy[AsyncTokenCredential]

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        ...


async def build_delivery(parts: Parts) -> AcsDelivery:
    """Text messages and e-mails, where there are senders; with a token unless there is a key."""
    settings = parts.settings
    key = settings.acs_access_key
    return AcsDelivery(
        normalised(settings.acs_endpoint),
        key_credential(key) if key else await parts.credential.get(),
        sms_sender=settings.sms_sender,
        email_sender=settings.email_sender,
    )

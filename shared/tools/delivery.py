"""Delivery that is connected when the first message goes out: few calls need one."""

from collections.abc import Awaitable, Callable

from shared.tools.codes import CodeDelivery


class DeferredDelivery:
    """A `CodeDelivery` that knows its *methods* before it is connected."""

    def __init__(
        self, methods: frozenset[str], connect: Callable[[], Awaitable[CodeDelivery]]
    ) -> None:
        self.methods = methods
        self._connect = connect

    async def send_sms(self, to: str, text: str) -> None:
        """As `CodeDelivery.send_sms`."""
        await (await self._connect()).send_sms(to, text)

    async def send_email(self, to: str, subject: str, text: str) -> None:
        """As `CodeDelivery.send_email`."""
        await (await self._connect()).send_email(to, subject, text)

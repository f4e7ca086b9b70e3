"""Messages through the real SDKs, into the phones and mailboxes of the simulator."""

import base64
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from azure.core.credentials import AzureKeyCredential

from shared.auth.acs import key_credential, normalised
from shared.errors import SettingsError, UpstreamError
from shared.tools.acs_delivery import AcsDelivery
from shared.tools.delivery import DeferredDelivery
from shared.tools.failures import ToolFailedError
from simulator.acs import AcsSimulator, HangUp, Say, Step
from simulator.acs.errors import Json
from simulator.acs.inbox import Inbox, Message

SENDER, MAILER = "+15559990000", "no-reply@bank.example"
PHONE, MAILBOX = "+15551230000", "emily.rivera@example.com"
KEY = base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass
class Post:
    """The delivery and where it ends."""

    delivery: AcsDelivery
    inbox: Inbox
    endpoint: str


async def ignore(events: list[Json]) -> None:
    """Nobody listens to Event Grid here."""


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    """A simulator and a delivery that talks to it."""
    acs = AcsSimulator(access_key=KEY, audience="audience", publish=ignore)
    await acs.start()
    delivery = delivery_to(acs.endpoint)
    yield Post(delivery, acs.inbox, acs.endpoint)
    await delivery.aclose()
    await acs.aclose()


def delivery_to(endpoint: str, key: str = KEY) -> AcsDelivery:
    """A delivery with both senders."""
    return AcsDelivery(
        normalised(endpoint),
        AzureKeyCredential(key),
        sms_sender=SENDER,
        email_sender=MAILER,
    )


async def test_sms_arrives(post: Post) -> None:
    """What the app says is what the phone shows."""
    await post.delivery.send_sms(PHONE, "your code is 482913.")
    assert post.inbox.messages == [Message("sms", PHONE, SENDER, "", "your code is 482913.")]
    assert post.inbox.messages[0].code == "482913"


async def test_email_arrives(post: Post) -> None:
    """The long-running operation is followed to its end."""
    await post.delivery.send_email(MAILBOX, "Your code", "It is 482913.\n")
    assert post.inbox.messages == [
        Message("email", MAILBOX, MAILER, "Your code", "It is 482913.\n")
    ]


async def test_messages_to_nowhere_are_final(post: Post) -> None:
    """Asking again would not help, and nothing went out."""
    post.inbox.refused |= {PHONE, MAILBOX}
    for send in (
        post.delivery.send_sms(PHONE, "t"),
        post.delivery.send_sms("12", "t"),
        post.delivery.send_email(MAILBOX, "s", "t"),
        post.delivery.send_email("nowhere", "s", "t"),
    ):
        with pytest.raises(ToolFailedError):
            await send
    assert post.inbox.messages == []


Send = Callable[[AcsDelivery], Awaitable[None]]
WAYS = pytest.mark.parametrize(
    "send",
    [
        lambda delivery: delivery.send_sms(PHONE, "secret 482913"),
        lambda delivery: delivery.send_email(MAILBOX, "s", "secret 482913"),
    ],
    ids=["sms", "email"],
)


@WAYS
@pytest.mark.parametrize("status", [500, 503, 429])
async def test_messages_are_not_sent_again_by_the_sdk(
    post: Post, send: Send, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A service in trouble is an error of ours at once; nothing of the message is told."""
    post.inbox.faults.append(status)
    with caplog.at_level(logging.DEBUG), pytest.raises(UpstreamError) as caught:
        await send(post.delivery)
    assert post.inbox.messages == []
    assert not post.inbox.faults
    for place in (str(caught.value), caplog.text):
        assert "482913" not in place
        assert PHONE not in place
        assert MAILBOX not in place


@WAYS
async def test_messages_need_the_key(post: Post, send: Send) -> None:
    """A wrong key is our trouble and not the caller's number."""
    wrong = delivery_to(post.endpoint, base64.b64encode(b"another key").decode())
    with pytest.raises(UpstreamError):
        await send(wrong)
    await wrong.aclose()


@WAYS
async def test_messages_tell_that_the_service_is_away(send: Send) -> None:
    """Nobody answers at all."""
    nowhere = delivery_to("http://127.0.0.1:1")
    with pytest.raises(UpstreamError):
        await send(nowhere)
    await nowhere.aclose()


@WAYS
async def test_messages_without_a_sender_are_refused(send: Send) -> None:
    """Where no number and no domain is set up, the way does not exist."""
    silent = AcsDelivery(
        "http://127.0.0.1:1", AzureKeyCredential(KEY), sms_sender=None, email_sender=""
    )
    assert silent.methods == frozenset()
    with pytest.raises(ToolFailedError):
        await send(silent)
    await silent.aclose()


async def test_deferred_delivery_connects_with_the_first_message(post: Post) -> None:
    """The SDKs are loaded when somebody needs them, and the ways are known before."""
    connected = 0

    async def connect() -> AcsDelivery:
        nonlocal connected
        connected += 1
        return post.delivery

    deferred = DeferredDelivery(frozenset({"sms"}), connect)
    assert (deferred.methods, connected) == (frozenset({"sms"}), 0)
    await deferred.send_sms(PHONE, "t")
    await deferred.send_email(MAILBOX, "s", "t")
    assert [each.channel for each in post.inbox.messages] == ["sms", "email"]


async def test_scripted_caller_reads_codes_out(post: Post) -> None:
    """Each mark stands for the newest message that was not read before."""
    acs = AcsSimulator(access_key=KEY, audience="audience", publish=ignore)
    lines: list[Step] = [Say("hello"), Say("it is {{ code }}"), Say("{{ code }}"), HangUp()]
    reader = acs.reader(lines)
    assert callable(reader)
    assert await reader([]) == Say("hello")
    acs.inbox.deliver(Message("sms", PHONE, SENDER, "", "code 111111, valid for 5 minutes"))
    assert await reader([]) == Say("it is 111111")
    acs.inbox.deliver(Message("email", MAILBOX, MAILER, "s", "sign with 222222"))
    assert await reader([]) == Say("222222")
    assert await reader([]) == HangUp()


@pytest.mark.parametrize("endpoint", ["acs.example", "ftp://acs.example", ""])
def test_acs_endpoint_must_be_an_address(endpoint: str) -> None:
    """Found when the part is built, and not on the phone."""
    with pytest.raises(SettingsError):
        normalised(endpoint)
    with pytest.raises(SettingsError):
        key_credential("not base64!")

"""What is written down for the people of the bank: cases and callbacks.

A reference is derived from the request it was made for. A request that is made again, because its
answer was lost, finds what the first one wrote.
"""

import hashlib

from shared.errors import ConflictError
from shared.records.documents import Document, Documents
from shared.tools.context import REFERENCE_ALPHABET, ToolContext
from shared.types import Json

_LENGTH = 8


async def write_down(container: str, prefix: str, facts: Json, context: ToolContext) -> str:
    """Keep *facts* and return their reference; the same request again returns the same.

    They are kept with the verified client, those of a stranger by themselves.

    Args:
        container: ``cases`` or ``callbacks``.
        prefix: What the reference begins with.
        facts: What the people of the bank need to know.
        context: Whose request it is.
    """
    services, request = context.services, context.request
    body: Json = {
        **facts,
        "request": request,
        "session_id": context.session_id,
        "client_id": context.client_id,
        "status": "open",
        "opened_at": services.clock.now().isoformat(),
    }
    reference = reference_of(prefix, request)
    if await _keep(services.documents, container, reference, body):
        return reference
    # Another request has come to the same letters; a million requests see that once or never.
    reference = services.new_id(prefix)
    owner = context.client_id or reference
    await services.documents.create(Document(container, owner, reference, body))
    return reference


async def _keep(documents: Documents, container: str, reference: str, body: Json) -> bool:
    """Whether the reference now stands for this request."""
    owner = body["client_id"] or reference
    try:
        await documents.create(Document(container, owner, reference, body))
    except ConflictError:
        there = await documents.read(container, owner, reference)
        return there is not None and there.body.get("request") == body["request"]
    return True


def reference_of(prefix: str, request: str) -> str:
    """A reference to read out to a caller, the same for the same *request*."""
    number = int.from_bytes(hashlib.sha256(f"{prefix}\n{request}".encode()).digest())
    letters = []
    for _ in range(_LENGTH):
        number, letter = divmod(number, len(REFERENCE_ALPHABET))
        letters.append(REFERENCE_ALPHABET[letter])
    return f"{prefix}-{''.join(letters)}"

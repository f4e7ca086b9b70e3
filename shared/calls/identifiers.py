"""ACS identifiers from raw ids, with the public types of the SDK only."""

from azure.communication.callautomation import (
    CommunicationIdentifier,
    CommunicationUserIdentifier,
    MicrosoftTeamsAppIdentifier,
    MicrosoftTeamsUserIdentifier,
    PhoneNumberIdentifier,
    TeamsExtensionUserIdentifier,
    UnknownIdentifier,
)

from shared.calls.events import Party


def identifier_of(party: Party) -> CommunicationIdentifier:
    """Name *party* in the SDK's terms.

    Raw ids of a kind we do not know are passed on as they are: ACS decides by the raw id.
    """
    prefix, _, suffix = party.raw_id.partition(":")
    if prefix == "4":
        return PhoneNumberIdentifier(suffix)
    kind, _, rest = suffix.partition(":")
    if prefix == "8" and kind == "acs":
        return _acs_user(party.raw_id, rest)
    if prefix == "8" and kind == "orgid":
        return MicrosoftTeamsUserIdentifier(rest, raw_id=party.raw_id)
    if prefix == "28" and kind == "orgid":
        return MicrosoftTeamsAppIdentifier(rest)
    return UnknownIdentifier(party.raw_id)


def phone_number_of(party: Party) -> str | None:
    """The number of *party* in E.164; None if it is not a phone."""
    prefix, _, number = party.raw_id.partition(":")
    return number if prefix == "4" else None


def _acs_user(raw_id: str, rest: str) -> CommunicationIdentifier:
    parts = rest.split("_")
    if len(parts) != 3:
        return CommunicationUserIdentifier(raw_id)
    # Resource, tenant and user: somebody of a Teams Phone extension.
    resource_id, tenant_id, user_id = parts
    return TeamsExtensionUserIdentifier(
        user_id=user_id, tenant_id=tenant_id, resource_id=resource_id
    )

"""Names of the parties of a call. The SDK never sends ``kind``: it follows from the raw id."""

from simulator.acs.errors import Json, invalid


def raw_id_of(identifier: object) -> str:
    """The raw id of an identifier as the SDK sends it.

    Raises:
        ServiceError: It names nobody.
    """
    if isinstance(identifier, dict):
        raw_id = identifier.get("rawId")
        if isinstance(raw_id, str) and raw_id:
            return raw_id
        phone = identifier.get("phoneNumber")
        if isinstance(phone, dict) and isinstance(phone.get("value"), str):
            return "4:" + str(phone["value"])
    raise invalid("The communication identifier is invalid.")


def identifier(raw_id: str) -> Json:
    """The full identifier of a raw id, as the service writes it."""
    if raw_id.startswith("4:"):
        number = raw_id.removeprefix("4:")
        return {"rawId": raw_id, "kind": "phoneNumber", "phoneNumber": {"value": number}}
    if raw_id.startswith("8:acs:"):
        return {"rawId": raw_id, "kind": "communicationUser", "communicationUser": {"id": raw_id}}
    if raw_id.startswith("8:orgid:"):
        user = {"userId": raw_id.removeprefix("8:orgid:"), "isAnonymous": False, "cloud": "public"}
        return {"rawId": raw_id, "kind": "microsoftTeamsUser", "microsoftTeamsUser": user}
    return {"rawId": raw_id, "kind": "unknown"}


def raw_id_of_address(address: str) -> str:
    """The raw id of what a person would write: a phone number, ``anonymous`` or a raw id."""
    return address if address.startswith(("4:", "8:", "28:")) else "4:" + address


def address_of(raw_id: str) -> str:
    """The opposite of `raw_id_of_address`."""
    return raw_id.removeprefix("4:")

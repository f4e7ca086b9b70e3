"""How every client of Azure Communication Services is told where it is and who asks."""

import binascii
from base64 import b64decode
from urllib.parse import urlsplit

from azure.core.credentials import AzureKeyCredential

from shared.errors import SettingsError


def key_credential(access_key: str) -> AzureKeyCredential:
    """The credential of an access key.

    Raises:
        SettingsError: It is not base64.
    """
    try:
        b64decode(access_key, validate=True)
    except binascii.Error as err:
        raise SettingsError("the ACS access key is not base64") from err
    return AzureKeyCredential(access_key)


def normalised(endpoint: str) -> str:
    """*endpoint* as the SDK's signature needs it: lower-case host, no trailing slash.

    Raises:
        SettingsError: It is not a URL.
    """
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise SettingsError("the ACS endpoint is not a URL")
    return f"{parts.scheme}://{parts.netloc.lower()}"

"""Who may call what. Pure names; what proves them is checked at the functions' boundary."""

from enum import StrEnum


class Access(StrEnum):
    """What a request must carry."""

    PUBLIC = "public"
    """Nothing: the answer tells nothing."""
    KEY = "key"
    """A function key; the Functions host refuses the request without one."""
    ACS = "acs"
    """A token signed by ACS, and the signature of the session in the URL."""
    SIGNED = "signed"
    """The signature of the file in the URL, not yet ended."""

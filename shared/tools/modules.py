"""Every module that brings tools: a new one is added here, and nowhere else."""

from shared.tools import (
    auth,
    banking,
    card_applications,
    card_products,
    card_signing,
    escalation,
    handoffs,
    knowledge_base,
    mfa,
    people,
    service_requests,
    voicemail,
)

MODULES = (
    auth,
    mfa,
    banking,
    card_products,
    card_applications,
    card_signing,
    handoffs,
    knowledge_base,
    escalation,
    service_requests,
    voicemail,
    people,
)
"""Every module that brings tools, in the order in which they are listed."""

"""ACS Call Automation on this machine, with a phone to call from."""

from simulator.acs.chaos import Chaos, RestFault
from simulator.acs.pace import Pace
from simulator.acs.people import Person
from simulator.acs.phone import PhoneCall
from simulator.acs.rest import RecordedRequest
from simulator.acs.script import HangUp, Mumble, Press, Responder, Say, Stay, Step
from simulator.acs.server import AcsSimulator
from simulator.acs.transcript import (
    Connected,
    Ended,
    EndReason,
    Entry,
    Heard,
    Mumbled,
    Pressed,
    Recognized,
    Said,
    SilentFor,
    Transferred,
)
from simulator.acs.voicebox import TextVoicebox, Utterance, Voicebox

__all__ = [
    "AcsSimulator",
    "Chaos",
    "Connected",
    "EndReason",
    "Ended",
    "Entry",
    "HangUp",
    "Heard",
    "Mumble",
    "Mumbled",
    "Pace",
    "Person",
    "PhoneCall",
    "Press",
    "Pressed",
    "Recognized",
    "RecordedRequest",
    "Responder",
    "RestFault",
    "Said",
    "Say",
    "SilentFor",
    "Stay",
    "Step",
    "TextVoicebox",
    "Transferred",
    "Utterance",
    "Voicebox",
]

"""Azure Speech on this machine: a voice and an ear behind the protocol of the native SDK."""

from simulator.speech.ears import EarError
from simulator.speech.espeak import EspeakError
from simulator.speech.faults import Fault
from simulator.speech.flite import FliteError, FliteVoice
from simulator.speech.hearing import Heard
from simulator.speech.line import Exchange
from simulator.speech.server import SpeechStandIn, phrases_of
from simulator.speech.voice import ToneVoice

__all__ = [
    "EarError",
    "EspeakError",
    "Exchange",
    "Fault",
    "FliteError",
    "FliteVoice",
    "Heard",
    "SpeechStandIn",
    "ToneVoice",
    "phrases_of",
]

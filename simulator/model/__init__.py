"""A scripted model behind the OpenAI chat completions protocol."""

from simulator.model.faults import Fault
from simulator.model.script import Script, ScriptError, Timing
from simulator.model.server import Exchange, ScriptedModel

__all__ = ["Exchange", "Fault", "Script", "ScriptError", "ScriptedModel", "Timing"]

"""A Functions host in one process: serves ``function_app.app`` as the Python worker would.

``python -m simulator.functions_host`` is the host; `FunctionsHost` starts one and watches it.
"""

from simulator.functions_host.process import FunctionsHost, HostDiedError

__all__ = ["FunctionsHost", "HostDiedError"]

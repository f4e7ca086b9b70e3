"""What importing the app costs before the first request can be served."""

import statistics
import subprocess
import sys

RUNS = 7
_BASE = "import time; a = time.process_time(); import azure.functions; b = time.process_time(); "
_APP = "import function_app; c = time.process_time(); print((b - a) * 1000, (c - b) * 1000)"
TARGET_MS = 250


def once() -> tuple[float, float]:
    """CPU ms of azure.functions, and of the app on top of it, in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", _BASE + _APP], check=True, capture_output=True, text=True
    )
    base, app = done.stdout.split()
    return float(base), float(app)


def run() -> list[str]:
    """All figures."""
    once()  # writes the byte code
    bases, apps = zip(*(once() for _ in range(RUNS)), strict=True)
    return [
        "Import (CPU ms in a fresh process, minimum and median)",
        f"  azure.functions alone  {min(bases):6.0f} {statistics.median(bases):6.0f}",
        f"  the app on top of it   {min(apps):6.0f} {statistics.median(apps):6.0f}"
        f"   (target: at most {TARGET_MS})",
    ]

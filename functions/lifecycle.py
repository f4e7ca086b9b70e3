"""What the platform calls by itself: warm-up, and the sweep of what was left behind."""

import asyncio

import azure.functions as func
from azure.functions.warmup import WarmUpContext

from functions.boundary import event_boundary
from shared import readiness
from shared.resources import resources

bp = func.Blueprint()

_warming: set[asyncio.Task[list[str]]] = set()


def begin_warming() -> None:
    """Build what the first call needs as soon as the app is indexed, in nobody's way.

    The worker imports the app inside its running loop and indexes it before the loop turns again;
    the heavy imports then run in a thread. Without a loop nothing happens: somebody only looks.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    task = loop.create_task(readiness.warm(resources()))
    _warming.add(task)
    task.add_done_callback(_warming.discard)


@bp.warm_up_trigger("context")
@event_boundary
async def on_warm_up(context: WarmUpContext) -> None:
    """Build what the first call needs, on a new instance."""
    await readiness.failing(resources())


@bp.timer_trigger(arg_name="timer", schedule="%KEEP_WARM_SCHEDULE%")
@event_boundary
async def on_keep_warm(timer: func.TimerRequest) -> None:
    """Touch what the next call needs, so that no token or connection has gone cold."""
    await readiness.warm(resources())


@bp.timer_trigger(arg_name="timer", schedule="%SWEEP_SCHEDULE%")
@event_boundary
async def on_sweep(timer: func.TimerRequest) -> None:
    """Take over what a dead instance left; ask ACS about calls that have gone silent."""
    sweeper = await resources().sweeper.get()
    await sweeper.sweep(resources().settings.sweep_period_s)

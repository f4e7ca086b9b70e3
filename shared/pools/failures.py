"""How a pool fails, beside `PoolExhaustedError`."""

from shared.errors import AppError, UpstreamError


class PoolClosedError(AppError):
    """The pool was shut down; `prepare` opens it again."""

    code = "pool_closed"


class ForeignResourceError(AppError):
    """Somebody gave back what the pool has not lent them: not its own, or given back before."""

    code = "foreign_resource"


class ResourceUnfitError(UpstreamError):
    """A new resource failed its warm-up or is not ready; it was closed."""

    code = "resource_unfit"

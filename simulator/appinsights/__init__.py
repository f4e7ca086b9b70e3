"""A stand-in for the ingestion service of Application Insights, and a reader of what it got."""

from simulator.appinsights.server import AppInsights, Fault
from simulator.appinsights.spans import Span, spans_of
from simulator.appinsights.waterfall import waterfall

__all__ = ["AppInsights", "Fault", "Span", "spans_of", "waterfall"]

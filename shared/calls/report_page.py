"""The report of a session as a page that people read."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from shared.types import Json


def report_page(report: Json) -> str:
    """A complete HTML page; everything that was said in it is escaped."""
    return _template().render(report={"archived_at": "", "cost": None, **report})


@cache
def _template() -> Template:
    folder = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=folder, autoescape=True, undefined=StrictUndefined)
    return environment.get_template("report.html")

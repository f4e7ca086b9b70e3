"""What a caller waited for, part by part, as a drawing: pure text in, text out."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from zlib import crc32

from shared.types import Json

_BAR_CHARS = 48
_EIGHTHS = " \u258f\u258e\u258d\u258c\u258b\u258a\u2589\u2588"
_WIDTH_PX, _LABEL_PX, _ROW_PX, _HEAD_PX = 720, 150, 18, 22
_COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#b279a2", "#9d755d", "#8a8a8a")


@dataclass(frozen=True, slots=True)
class Part:
    """Something that was waited for."""

    stage: str
    start_ms: float
    """After the event arrived."""
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """One turn: its parts follow each other without a gap, and sum to the whole."""

    title: str
    total_ms: float
    parts: tuple[Part, ...]

    def as_json(self) -> Json:
        """The parts with where they begin."""
        return {
            "title": self.title,
            "silence_ms": self.total_ms,
            "parts": [
                {"stage": one.stage, "start_ms": one.start_ms, "ms": one.duration_ms}
                for one in self.parts
            ],
        }


def waterfall_of(record: Json) -> Waterfall:
    """The waterfall of a turn's record, see ``shared.calls.turn_record``."""
    parts, start_ms = [], 0.0
    for stage, duration_ms in record.get("waterfall", ()):
        parts.append(Part(str(stage), round(start_ms, 3), duration_ms))
        start_ms += duration_ms
    title = f"turn {record['turn']}  {record['agent']}  {record['cue']}"
    return Waterfall(title, record["silence_ms"], tuple(parts))


def as_text(falls: Sequence[Waterfall], stages: dict[str, Json] | None = None) -> str:
    """For a terminal: a bar for every part, then a table of all stages."""
    lines: list[str] = []
    width = max((len(part.stage) for fall in falls for part in fall.parts), default=0)
    for fall in falls:
        lines.append(f"{fall.title}  silence {fall.total_ms:.1f} ms")
        lines += [_text_row(part, fall.total_ms, width) for part in fall.parts]
        lines.append("")
    if stages:
        lines += _table(stages)
    return "\n".join(lines).rstrip("\n") + "\n"


def as_svg(falls: Sequence[Waterfall]) -> str:
    """A drawing; every turn in the scale of the longest."""
    scale_ms = max((fall.total_ms for fall in falls), default=0.0) or 1.0
    rows: list[str] = []
    top = 0
    for fall in falls:
        rows.append(
            f'<text x="0" y="{top + 15}" font-weight="bold">{escape(fall.title)},'
            f" silence {fall.total_ms:.1f} ms</text>"
        )
        top += _HEAD_PX
        for part in fall.parts:
            rows.append(_svg_row(part, scale_ms, top))
            top += _ROW_PX
        top += _ROW_PX // 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH_PX}" height="{top}"'
        f' viewBox="0 0 {_WIDTH_PX} {top}" font-family="sans-serif" font-size="12">'
        f"<title>What the caller waited for</title>{''.join(rows)}</svg>"
    )


def as_html(title: str, falls: Sequence[Waterfall], stages: dict[str, Json]) -> str:
    """A page with the drawing and the table of all stages."""
    names = ("count", *(name for name in _figures(stages) if name != "count"))
    head = "".join(f"<th>{escape(name)}</th>" for name in ("stage", *names))
    body = "".join(
        f"<tr><td>{escape(stage)}</td>"
        + "".join(f"<td>{_figure(figures.get(name))}</td>" for name in names)
        + "</tr>"
        for stage, figures in stages.items()
    )
    style = "body{font-family:sans-serif}td,th{padding:2px 8px;text-align:right}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{style}</style><h1>{escape(title)}</h1>{as_svg(falls) if falls else ''}"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></html>"
    )


def _text_row(part: Part, total_ms: float, width: int) -> str:
    scale = _BAR_CHARS * 8 / total_ms if total_ms else 0.0
    before = round(part.start_ms * scale) // 8
    eighths = max(1, round(part.duration_ms * scale))
    bar = _EIGHTHS[8] * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    drawn = (" " * before + bar)[: _BAR_CHARS + 1]
    return f"  {part.stage:<{width}} {part.duration_ms:>9.1f} ms  {drawn}"


def _svg_row(part: Part, scale_ms: float, top: int) -> str:
    room_px = _WIDTH_PX - _LABEL_PX - 80
    left = _LABEL_PX + part.start_ms / scale_ms * room_px
    wide = max(1.0, part.duration_ms / scale_ms * room_px)
    colour = _COLOURS[crc32(part.stage.encode()) % len(_COLOURS)]
    return (
        f'<text x="8" y="{top + 13}">{escape(part.stage)}</text>'
        f'<rect x="{left:.1f}" y="{top + 2}" width="{wide:.1f}" height="{_ROW_PX - 4}"'
        f' fill="{colour}"/>'
        f'<text x="{left + wide + 4:.1f}" y="{top + 13}">{part.duration_ms:.1f} ms</text>'
    )


def _figures(stages: dict[str, Json]) -> list[str]:
    return list(dict.fromkeys(name for figures in stages.values() for name in figures))


def _figure(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else escape(str(value or "-"))


def _table(stages: dict[str, Json]) -> list[str]:
    names = _figures(stages)
    width = max(len(stage) for stage in stages)
    lines = [f"{'stage':<{width}}" + "".join(f"{name:>12}" for name in names)]
    for stage, figures in stages.items():
        cells = "".join(f"{_figure(figures.get(name)):>12}" for name in names)
        lines.append(f"{stage:<{width}}{cells}")
    return lines

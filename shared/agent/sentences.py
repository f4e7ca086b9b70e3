"""Cuts a streamed reply into sentences that can be spoken one by one.

What is cut where depends on the text alone, never on how it was split into deltas: a place is
decided only when everything the decision looks at has arrived.
"""

import re

MIN_SENTENCE_CHARS = 12
"""A shorter piece joins the next one: "Sure." alone is a choppy prompt."""
MAX_SENTENCE_CHARS = 350
"""A longer one is cut at a comma or a space: the caller waits for it to be complete."""

# A full stop, or a line end. What closes a quotation or Markdown emphasis belongs to the sentence.
_BOUNDARY = re.compile(
    r"(?P<stop>[.!?…]+)(?P<closers>[\"'”\u2019»)\]*_`]*)(?P<gap>\s+)(?P<next>\S?)|(?P<newline>\n)"
)
_LAST_WORD = re.compile(r"[^\s(\[{\"'“\u2018*_]*$")
_LETTERS_WITH_DOTS = re.compile(r"(?:[A-Za-z]\.)+")  # e.g. U.S. a.m. J.
_LIST_NUMBER = re.compile(r"[:;,]\s+\d{1,2}\.$")
_OPEN_LINK = re.compile(r"\[[^\[\]]*$|\]\([^()]*$")
_ABBREVIATIONS = frozenset(
    f"{word}."
    for word in (
        *("mr", "mrs", "ms", "mx", "dr", "prof", "rev", "hon", "st", "sr", "jr", "gen", "col"),
        *("capt", "lt", "sgt", "gov", "sen", "rep", "inc", "ltd", "llc", "corp", "co", "dept"),
        *("est", "approx", "vs", "etc", "cf", "al", "ext", "acct", "tel", "apt", "ave", "blvd"),
        *("rd", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov"),
        *("dec", "mon", "tue", "wed", "thu", "fri", "fig", "vol", "ph.d"),
    )
)
_NUMBERED = frozenset(("no.", "nos.", "art.", "sec.", "p.", "pp."))
"""Abbreviations only where a number follows: "No. 5", but "I said no. Then"."""


class SentenceCutter:
    """Takes a reply as it streams in and gives back the sentences that are complete.

    Markdown is taken out, since the text is spoken; apart from that and from white space,
    the sentences joined are the text that was fed.
    """

    def __init__(self) -> None:
        self._buffer = ""
        self._at_line_start = True

    def feed(self, delta: str) -> list[str]:
        """Take the next piece of the reply.

        Returns:
            The sentences completed by it, at most ``MAX_SENTENCE_CHARS`` long, none of them empty.
        """
        self._buffer += delta
        self._trim()
        sentences = []
        while (end := self._find_cut()) is not None:
            sentences.append(spoken(self._buffer[:end], at_line_start=self._at_line_start))
            self._buffer = self._buffer[end:]
            self._at_line_start = False
            self._trim()
        return [sentence for sentence in sentences if sentence]

    @property
    def has_more(self) -> bool:
        """Whether the next sentence has begun: there is a letter or a digit of it."""
        return any(char.isalnum() for char in self._buffer)

    def flush(self) -> str:
        """End the reply: give back what is left, possibly nothing, and start afresh."""
        rest = spoken(self._buffer, at_line_start=self._at_line_start)
        self._buffer = ""
        self._at_line_start = True
        return rest

    def _trim(self) -> None:
        """Drop the white space before the next sentence, but remember a line end in it."""
        trimmed = self._buffer.lstrip()
        if "\n" in self._buffer[: len(self._buffer) - len(trimmed)]:
            self._at_line_start = True
        self._buffer = trimmed

    def _find_cut(self) -> int | None:
        """Find where the first sentence of the buffer ends; None: not to be seen yet."""
        for match in _BOUNDARY.finditer(self._buffer):
            end = match.start() if match["newline"] else match.end("closers")
            if end > MAX_SENTENCE_CHARS:
                break
            if not match["newline"] and not match["next"] and "\n" not in match["gap"]:
                return None  # what follows the gap is still to come
            if self._is_cut(match, end):
                return end
        if len(self._buffer) > MAX_SENTENCE_CHARS:
            return _forced_cut(self._buffer[: MAX_SENTENCE_CHARS + 1])
        return None

    def _is_cut(self, match: re.Match[str], end: int) -> bool:
        """Tell whether the sentence really ends at this boundary."""
        head = self._buffer[:end]
        if _OPEN_LINK.search(head):
            return False
        if match["stop"] and "\n" not in match["gap"]:
            before = self._buffer[: match.end("stop")]
            if match["stop"][-1] in ".…" and not _ends_sentence(before, match["next"]):
                return False
        return len(spoken(head, at_line_start=self._at_line_start)) >= MIN_SENTENCE_CHARS


def spoken(text: str, *, at_line_start: bool = True) -> str:
    """Take Markdown out of *text* and make every run of white space one space.

    Args:
        text: One or more sentences, or a part of one.
        at_line_start: Whether the text begins a line, so that a leading dash is a bullet.
    """
    # A mark that a line must begin with cannot match behind this one.
    guarded = text if at_line_start else "\0" + text
    for pattern, replacement in _MARKDOWN:
        guarded = pattern.sub(replacement, guarded)
    return " ".join(guarded.removeprefix("\0").split())


_MARKDOWN = tuple(
    (re.compile(pattern, re.MULTILINE), replacement)
    for pattern, replacement in (
        (r"^[ \t]*(?:```|~~~)\w*[ \t]*$", ""),  # code fence
        (r"^[ \t]*(?:-[ \t]*){3,}$|^[ \t]*(?:\*[ \t]*){3,}$|^[ \t]*(?:_[ \t]*){3,}$", ""),  # rule
        (r"^[ \t]*>[ \t]?", ""),  # quotation
        (r"^[ \t]*#{1,6}[ \t]+", ""),  # heading
        (r"^[ \t]*[-*+•][ \t]+", ""),  # bullet
        (r"!?\[([^\[\]]*)\]\([^()]*\)", r"\1"),  # link, image
        (r"<((?:https?|mailto):[^<>\s]+)>", r"\1"),
        (r"\*\*+", ""),
        (r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])", r"\1"),  # "dial *67" keeps its star
        (r"(?<!\w)(_{1,3})(?=\S)([^_\n]+?)(?<=\S)\1(?!\w)", r"\2"),
        (r"`+", ""),
    )
)


def _ends_sentence(before: str, following: str) -> bool:
    """Tell whether the dot that *before* ends with is a full stop."""
    found = _LAST_WORD.search(before)
    word = found.group().lower() if found else ""
    is_abbreviation = (
        following.islower()
        or word in _ABBREVIATIONS
        or _LETTERS_WITH_DOTS.fullmatch(word) is not None
        or (word in _NUMBERED and following.isdigit())
        or _LIST_NUMBER.search(before) is not None
    )
    return not is_abbreviation


def _forced_cut(head: str) -> int:
    """Find the best place to cut a sentence that does not end: a comma, a space, anywhere."""
    comma = max(head.rfind(mark) for mark in (", ", "; ", ": ", ",\n"))
    if comma >= MAX_SENTENCE_CHARS // 3:  # a comma near the beginning would leave a stub
        return comma + 1
    space = max((found.start() for found in re.finditer(r"\s", head)), default=0)
    return space or MAX_SENTENCE_CHARS

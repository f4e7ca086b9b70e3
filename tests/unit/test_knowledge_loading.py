"""What a load does to the shelf, and how the command tells of it."""

import io

import pytest

from shared.knowledge.chunks import Chunk
from shared.knowledge.ingest import report
from shared.knowledge.loading import changes_between, passages_of
from shared.knowledge.markdown import Article, ArticlesError
from shared.knowledge.progress import Progress
from shared.knowledge.shelf import Kept


def chunk(name: str, content: str = "text") -> Chunk:
    """A passage."""
    return Chunk(name, "Title", "faq", f"https://x.example/{name}", content)


def kept(one: Chunk, *, model: str = "m", collection: str = "faq") -> Kept:
    """The passage as it was stored."""
    return Kept(collection, one.id, one.digest(model))


def test_changes_tell_new_from_changed_from_gone() -> None:
    """Only what has to be done is done."""
    same, changed, new = chunk("same"), chunk("changed", "after"), chunk("new")
    shelf = [kept(same), kept(chunk("changed", "before")), kept(chunk("gone"))]
    changes = changes_between([same, changed, new], shelf, model="m")
    assert changes.added == (new,)
    assert changes.updated == (changed,)
    assert changes.unchanged == (same,)
    assert [one.id for one in changes.removed] == ["gone"]
    assert report(changes).splitlines() == [
        "added    faq/new",
        "updated  faq/changed",
        "removed  faq/gone",
        "1 added, 1 updated, 1 unchanged, 1 removed",
    ]


def test_changes_follow_the_model() -> None:
    """Vectors of two models cannot be compared, so another model changes every passage."""
    one = chunk("one")
    assert changes_between([one], [kept(one, model="old")], model="new").updated == (one,)


def test_changes_move_a_passage_to_its_collection() -> None:
    """A collection is a partition: the same id elsewhere is another passage."""
    one = chunk("one")
    changes = changes_between([one], [kept(one, collection="policies")], model="m")
    assert changes.added == (one,)
    assert [each.collection for each in changes.removed] == ["policies"]


def test_passages_refuse_to_share_a_place() -> None:
    """One would silently replace the other."""
    articles = [
        Article(name, "Title", "faq", "https://x.example", "text") for name in ("a/b", "a-b")
    ]
    with pytest.raises(ArticlesError, match="two files lead to the id a-b-1"):
        passages_of(articles)


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere() -> None:
    """A log full of carriage returns cannot be read."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, said in (
        (io.StringIO(), "storing: 1 of 2\nstoring: 2 of 2\n"),
        (Terminal(), f"\rstoring [{'#' * 15}{'-' * 15}] 1/2\rstoring [{'#' * 30}] 2/2\n"),
    ):
        progress = Progress(stream, "storing")
        progress(0, 0)
        progress(1, 2)
        progress(2, 2)
        assert stream.getvalue() == said

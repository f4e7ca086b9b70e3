"""Articles in Markdown: what is read from where, and how bad files are named."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.knowledge.chunks import CHUNK_CHARS, chunks_of
from shared.knowledge.markdown import Article, ArticlesError, read_articles


def write(folder: Path, name: str, text: str) -> None:
    """Put a file into *folder*."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def article(text: str, *, name: str = "faq/fees") -> Article:
    """An article that says *text*."""
    return Article(name, "Fees", "faq", "https://x.example/fees", text)


def test_article_is_read_from_its_head(tmp_path: Path) -> None:
    """What the head says counts, wherever the file lies."""
    head = "title: Fees\ncollection: policies\nurl: https://x.example/fees"
    write(tmp_path, "anywhere/fees.md", f"---\n{head}\n---\n\nThey are low.\n")
    assert read_articles(tmp_path) == [
        Article("anywhere/fees", "Fees", "policies", "https://x.example/fees", "They are low.")
    ]


def test_article_without_a_head_is_read_from_its_place(tmp_path: Path) -> None:
    """Markdown that was written for people needs nothing added."""
    write(tmp_path, "faq/fees.md", "# What does it cost?\n\nNothing.\n\nAlmost.\n")
    assert read_articles(tmp_path) == [
        Article("faq/fees", "What does it cost?", "faq", "faq/fees", "Nothing.\n\nAlmost.")
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no head at all", "title is missing"),
        ("---\nurl: u\n---\ntext", "title is missing"),
        ("---\ntitle: t\ncollection: secrets\n---\ntext", "collection must be one of"),
        ("---\ntitle: t\ncollection: faq\n---\n\n", "text is missing"),
        ("---\ntitle: t\ntext", "the head is not closed"),
        ("---\ntitle: [\n---\ntext", "the head is not YAML"),
        ("---\ntitle\n---\ntext", "the head is not YAML"),
        ("---\ntitle: 7\n---\ntext", "title, collection and url are text"),
    ],
)
def test_bad_files_are_named_all_at_once(tmp_path: Path, text: str, says: str) -> None:
    """An article without a title would be read out as nothing."""
    write(tmp_path, "faq/broken.md", text)
    write(tmp_path, "faq/good.md", "# Good\n\ntext")
    write(tmp_path, "stray.md", "# No collection\n\ntext")
    with pytest.raises(ArticlesError) as caught:
        read_articles(tmp_path)
    first, second = caught.value.problems
    assert first.startswith(f"faq/broken.md: {says}")
    assert second.startswith("stray.md: collection must be one of")


def test_folder_without_articles_is_refused(tmp_path: Path) -> None:
    """A mistyped folder must not empty the knowledge base."""
    with pytest.raises(ArticlesError, match="there are no"):
        read_articles(tmp_path / "missing")


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """Whoever loads a folder must learn which file it is."""
    (tmp_path / "faq").mkdir()
    (tmp_path / "faq" / "photo.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ArticlesError, match="photo"):
        read_articles(tmp_path)


def test_chunks_keep_paragraphs_together() -> None:
    """A passage that begins in the middle of a thought answers nothing."""
    first, second, third = "One. " * 60, "Two. " * 30, "Three. " * 40
    chunks = chunks_of(article(f"{first}\n\n{second}\n\n{third}"))
    assert [chunk.id for chunk in chunks] == ["faq-fees-1", "faq-fees-2"]
    assert chunks[0].content == f"{first}{second}".strip()
    assert chunks[1].content == third.strip()
    assert {chunk.title for chunk in chunks} == {"Fees"}


@settings(deadline=None)
@given(text=st.text(alphabet="ab .!\n", min_size=1, max_size=3000))
def test_chunks_lose_nothing_and_are_never_too_long(text: str) -> None:
    """What is not in a passage cannot be found."""
    chunks = chunks_of(article(text))
    assert all(0 < len(chunk.content) <= CHUNK_CHARS for chunk in chunks)
    together = "".join("".join(chunk.content for chunk in chunks).split())
    assert together == "".join(text.split())


def test_digest_follows_everything_that_is_stored() -> None:
    """A changed title, or another model, must be noticed; the same must not be embedded again."""
    (chunk,) = chunks_of(article("Low."))
    (same,) = chunks_of(article("Low."))
    (other,) = chunks_of(article("High."))
    assert chunk.digest("a-model") == same.digest("a-model")
    assert len({chunk.digest("a-model"), other.digest("a-model"), chunk.digest("b-model")}) == 3

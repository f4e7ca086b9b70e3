"""Signed URLs: of callbacks, and of sound files."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.auth.signatures import CallbackSigner, FileSigner
from shared.errors import SettingsError, UnauthorizedError
from shared.types import SessionId
from tests.unit.fakes import FakeClock

OLD, NEW = b"the old key, 16 bytes and more", b"the new key, 16 bytes and more"
SESSION = SessionId("0190a1b2-0000-7000-8000-000000000001")


def test_signature_is_the_same_every_time() -> None:
    """A repeated answer must carry the same URL, or ACS would not recognise it."""
    signer = CallbackSigner([NEW])
    assert signer.sign(SESSION) == CallbackSigner([NEW]).sign(SESSION)
    assert len(signer.sign(SESSION)) == 43
    signer.verify(SESSION, signer.sign(SESSION))


def test_signature_of_the_old_key_is_accepted_and_no_longer_made() -> None:
    """A key can be replaced while calls go on."""
    both = CallbackSigner([NEW, OLD])
    both.verify(SESSION, CallbackSigner([OLD]).sign(SESSION))
    assert both.sign(SESSION) == CallbackSigner([NEW]).sign(SESSION)
    with pytest.raises(UnauthorizedError):
        CallbackSigner([NEW]).verify(SESSION, CallbackSigner([OLD]).sign(SESSION))


def test_signature_of_another_session_is_refused() -> None:
    """Who knows the URL of one call must not speak for another."""
    signer = CallbackSigner([NEW])
    with pytest.raises(UnauthorizedError):
        signer.verify(SessionId("another"), signer.sign(SESSION))


@pytest.mark.parametrize("given_signature", [None, "", "x", "ü", "\ud800", "A" * 43, "A" * 9999])
def test_signature_that_is_missing_or_wrong_is_refused(given_signature: str | None) -> None:
    """Whatever the query says, the answer is a refusal and not a crash."""
    with pytest.raises(UnauthorizedError):
        CallbackSigner([NEW]).verify(SESSION, given_signature)


@pytest.mark.parametrize("keys", [[], [b""], [b"too short"], [NEW, b"short"]])
def test_signer_refuses_keys_that_can_be_guessed(keys: list[bytes]) -> None:
    """An empty secret would sign everything for everybody."""
    with pytest.raises(SettingsError):
        CallbackSigner(keys)


def test_signer_does_not_show_its_keys() -> None:
    """A repr ends up in a log sooner or later."""
    assert "key, 16" not in repr(CallbackSigner([NEW]))


@pytest.mark.parametrize("base", ["https://app.example", "https://app.example/"])
def test_callback_url_names_session_and_signature(base: str) -> None:
    """The route and the query are what the callback function reads."""
    signer = CallbackSigner([NEW])
    assert signer.callback_url(base, SESSION) == (
        f"https://app.example/api/callbacks/{SESSION}?sig={signer.sign(SESSION)}"
    )


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_callback_url_survives_any_session_id(text: str) -> None:
    """What comes back in the URL is what was signed, whatever it contains."""
    signer = CallbackSigner([NEW])
    parts = urlsplit(signer.callback_url("https://app.example", SessionId(text)))
    (signature,) = parse_qs(parts.query)["sig"]
    segments = parts.path.split("/")
    assert len(segments) == 4
    signer.verify(SessionId(unquote(segments[-1])), signature)
    assert unquote(segments[-1]) == text


def parts_of(url: str) -> tuple[str, str, str]:
    """File, end and signature of a link."""
    parts = urlsplit(url)
    query = parse_qs(parts.query, strict_parsing=True)
    assert (parts.scheme, parts.netloc) == ("https", "app.example")
    return unquote(parts.path.rsplit("/", 1)[1]), query["exp"][0], query["sig"][0]


@given(file=st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1))
def test_file_link_is_accepted_until_it_ends(file: str) -> None:
    """ACS may fetch a file late, but a link that leaks is worth nothing soon."""
    clock = FakeClock()
    signer = FileSigner([NEW], clock=clock, valid_s=600)
    link = parts_of(signer.file_url("https://app.example/", file))
    assert link[0] == file
    clock.elapsed_s = 599
    signer.verify(*link)
    clock.elapsed_s = 600
    with pytest.raises(UnauthorizedError):
        signer.verify(*link)


@pytest.mark.parametrize(
    "change",
    [
        {"file": "b.wav"},
        {"exp": "99999999999"},
        {"exp": ""},
        {"exp": None},
        {"exp": "x"},
        {"sig": ""},
        {"sig": None},
        {"sig": "\udcff"},
    ],
    ids=str,
)
def test_file_link_that_was_changed_is_refused(change: dict[str, str | None]) -> None:
    """Neither another file nor a later end can be had for the same signature."""
    signer = FileSigner([NEW], clock=FakeClock())
    file, ends_at, signature = parts_of(signer.file_url("https://app.example", "a.wav"))
    given_parts = {"file": file, "exp": ends_at, "sig": signature, **change}
    with pytest.raises(UnauthorizedError):
        signer.verify(str(given_parts["file"]), given_parts["exp"], given_parts["sig"])


def test_file_link_of_the_old_key_is_accepted() -> None:
    """Replacing a key does not silence the calls that are under way."""
    clock = FakeClock()
    old = parts_of(FileSigner([OLD], clock=clock).file_url("https://app.example", "a.wav"))
    FileSigner([NEW, OLD], clock=clock).verify(*old)
    with pytest.raises(UnauthorizedError):
        FileSigner([NEW], clock=clock).verify(*old)


def test_file_signatures_and_callback_signatures_are_not_exchangeable() -> None:
    """The same key serves both: a link to a sound must not open the callbacks."""
    clock = FakeClock()
    file, ends_at, signature = parts_of(
        FileSigner([NEW], clock=clock).file_url("https://app.example", "a.wav")
    )
    with pytest.raises(UnauthorizedError):
        CallbackSigner([NEW]).verify(SessionId(f"{ends_at}\x00{file}"), signature)


def test_file_signer_wants_keys_that_cannot_be_guessed() -> None:
    """As for callbacks."""
    for keys in ([], [b"short"]):
        with pytest.raises(SettingsError):
            FileSigner(keys, clock=FakeClock())

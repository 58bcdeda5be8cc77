"""Session ids as the official server SDKs take them apart, and the source of ids."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.clock import WallTime
from tertulia.ids import ApiKey, EmbeddedFacts, SystemIds, is_session_id_shaped, read_session_id, session_id_of

RANDOM = "k3Jt9QwZx7LmN2pRv8sYb4Ua"


def test_the_known_session_id() -> None:
    made = session_id_of(
        ApiKey("40012345"), relayed=False, location=None, created_at=WallTime(1767225600000), random_text=RANDOM
    )
    assert made == "2_MX40MDAxMjM0NX5-MTc2NzIyNTYwMDAwMH5rM0p0OVF3Wng3TG1OMnBSdjhzWWI0VWF-fg"


@given(
    api_key=st.integers(10_000_000, 2_147_483_647).map(str),
    relayed=st.booleans(),
    location=st.none() | st.ip_addresses(v=4).map(str),
    created_at=st.integers(1_000_000_000_000, 9_999_999_999_999),
    random_text=st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", min_size=24, max_size=24),
)
def test_every_sdk_finds_the_key(
    api_key: str, relayed: bool, location: str | None, created_at: int, random_text: str
) -> None:
    made = session_id_of(
        ApiKey(api_key), relayed=relayed, location=location, created_at=WallTime(created_at), random_text=random_text
    )
    assert is_session_id_shaped(made)
    assert len(made) <= 255
    assert made.count("_") == 1, "one SDK splits there"
    content = made[2:]
    decoded = base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)).decode("ascii")
    assert decoded.split("~")[1] == api_key
    pieces = [base64.b64decode(piece + "=" * (-len(piece) % 4)) for piece in content.split("-")]
    assert any(api_key.encode() in piece.split(b"~") for piece in pieces), "one SDK splits at - before it decodes"
    assert made[0] == ("1" if relayed else "2")
    assert decoded.split("~")[5] == ("P" if relayed else "")


@pytest.mark.parametrize("random_text", ["", "short", RANDOM + "x", RANDOM[:-1] + "~", RANDOM[:-1] + "\n"])
def test_random_text_of_another_form_is_refused(random_text: str) -> None:
    with pytest.raises(ValueError, match="random_text"):
        session_id_of(ApiKey("1"), relayed=True, location=None, created_at=WallTime(1), random_text=random_text)


@pytest.mark.parametrize("api_key", ["", "abc", "12~3", "١٢٣"])
def test_a_key_that_is_not_digits_is_refused(api_key: str) -> None:
    with pytest.raises(ValueError, match="api_key"):
        session_id_of(ApiKey(api_key), relayed=True, location=None, created_at=WallTime(1), random_text=RANDOM)


@pytest.mark.parametrize(
    "text", ["", "2_", "2_short", "x_MX40MDAxMjM0NX5-MTc2NzIy", "2_MX40MDAxMjM0NX5/MTc2", "2_" + "a" * 300]
)
def test_other_texts_are_not_shaped_like_session_ids(text: str) -> None:
    assert not is_session_id_shaped(text)


def test_ids_of_the_machine_have_their_shapes() -> None:
    ids = SystemIds()
    assert re.fullmatch(r"[1-9][0-9]{7}", ids.api_key())
    assert re.fullmatch(r"[0-9a-f]{40}", ids.api_secret())
    assert re.fullmatch(r"[A-Za-z0-9]{24}", ids.random_text())
    assert len(ids.secret_bytes()) == 32
    assert re.fullmatch(r"[0-9a-f-]{36}", ids.connection_id())
    assert ids.stream_id() != ids.stream_id()


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        ("1~123456~~Sat Mar 15 14:42:23 PDT 2014~0.49013025~", EmbeddedFacts(ApiKey("123456"), False, None)),
        (
            "1~27086612~~1547080521136~l9u9fyVazeFvFnUxEJ7urifM~~",
            EmbeddedFacts(ApiKey("27086612"), False, 1547080521136),
        ),
        (
            "1~47665971~~1739538894959~Q9mcXG1QrN3TIYu8y+ppx/gs~P~~",
            EmbeddedFacts(ApiKey("47665971"), True, 1739538894959),
        ),
        ("1~nobody~~1739538894959~x~~", None),
        ("1~47665971", None),
        ("just some text that means nothing", None),
        ("1~47665971~~1739538894959~\N{LATIN SMALL LETTER E WITH ACUTE}~~", None),
    ],
)
def test_ids_of_every_generation_say_whose_they_are(content: str, facts: EmbeddedFacts | None) -> None:
    encoded = base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")
    assert read_session_id(f"1_{encoded}") == facts


def test_an_id_made_here_says_what_it_was_made_of() -> None:
    made = session_id_of(
        ApiKey("40012345"), relayed=True, location="1.2.3.4", created_at=WallTime(1767225600000), random_text="a" * 24
    )
    assert read_session_id(made) == EmbeddedFacts(ApiKey("40012345"), True, 1767225600000)


@pytest.mark.parametrize("text", ["", "x", "2_", "2_AAAAAAAAAAAAAAAAA", "2_" + "A" * 300])
def test_what_is_no_session_id_says_nothing(text: str) -> None:
    assert read_session_id(text) is None

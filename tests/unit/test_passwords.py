"""The hash of the operator's password."""

import pytest

from tertulia.passwords import hash_password, is_password, is_password_hash

PASSWORD = "correct horse battery staple"


def test_a_hash_is_of_its_password_alone_and_never_the_same_twice() -> None:
    hashed = hash_password(PASSWORD)
    assert is_password_hash(hashed)
    assert PASSWORD not in hashed
    assert is_password(PASSWORD, hashed)
    assert not is_password(PASSWORD + " ", hashed)
    assert not is_password("", hashed)
    assert hash_password(PASSWORD) != hashed


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "x" * 1025])
def test_a_password_of_no_use_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        hash_password(password)


def test_a_password_in_any_script_may_be_long() -> None:
    password = "\N{GREEK SMALL LETTER ALPHA}" * 1024
    assert is_password(password, hash_password(password))


@pytest.mark.parametrize(
    "text", ["", PASSWORD, "scrypt:15:8:1:short:short", "scrypt:40:8:1:" + "a" * 22 + ":" + "a" * 43]
)
def test_what_is_no_hash_is_not_taken_for_one(text: str) -> None:
    assert not is_password_hash(text)
    with pytest.raises(ValueError, match="no hash"):
        is_password(PASSWORD, text)

"""Resume keys by themselves."""

import pytest

from tertulia.clock import WallTime
from tertulia.errors import AuthenticationError
from tertulia.ids import ConnectionId
from tertulia.services.resume_keys import LIFETIME_S, ResumeKeys

ANA = ConnectionId("ana")
NOW = WallTime(1_767_225_600_000)


def test_a_key_proves_connection_and_generation() -> None:
    keys = ResumeKeys(b"secret")
    assert keys.verify(ANA, keys.mint(ANA, 7, NOW), NOW) == 7


def test_a_key_needs_no_memory_but_the_secret() -> None:
    assert ResumeKeys(b"secret").verify(ANA, ResumeKeys(b"secret").mint(ANA, 1, NOW), NOW) == 1
    with pytest.raises(AuthenticationError, match="not made for this connection"):
        ResumeKeys(b"other").verify(ANA, ResumeKeys(b"secret").mint(ANA, 1, NOW), NOW)


def test_a_key_expires() -> None:
    keys = ResumeKeys(b"secret")
    key = keys.mint(ANA, 1, NOW)
    assert keys.verify(ANA, key, WallTime(NOW + LIFETIME_S * 1000 - 1)) == 1
    with pytest.raises(AuthenticationError, match="expired"):
        keys.verify(ANA, key, WallTime(NOW + LIFETIME_S * 1000))


@pytest.mark.parametrize("part", range(4))
def test_no_part_of_a_key_can_be_changed(part: int) -> None:
    keys = ResumeKeys(b"secret")
    parts = keys.mint(ANA, 1, NOW).split(".")
    parts[part] = "2" + parts[part][1:] if parts[part][0] != "2" else "3" + parts[part][1:]
    with pytest.raises(AuthenticationError):
        keys.verify(ANA, ".".join(parts), NOW)


def test_a_key_is_for_one_connection() -> None:
    keys = ResumeKeys(b"secret")
    with pytest.raises(AuthenticationError):
        keys.verify(ConnectionId("ben"), keys.mint(ANA, 1, NOW), NOW)


@pytest.mark.parametrize(
    "text", ["", ".", "1", "1.1", "1.1.1", "1.x.1.y", "1.-1.1.y", "1.²." + "1.y", "1.1.1.é", "1" * 999]
)
def test_garbage_is_malformed(text: str) -> None:
    with pytest.raises(AuthenticationError):
        ResumeKeys(b"secret").verify(ANA, text, NOW)

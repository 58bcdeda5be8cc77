"""The rules of delivering callbacks, and where they may go."""

from ipaddress import ip_network

import pytest

from tertulia.clock import WallTime
from tertulia.domain.addresses import AddressRules
from tertulia.domain.callbacks import (
    GIVE_UP_S,
    Answer,
    Delivery,
    DeliveryStatus,
    Outcome,
    after_attempt,
    check_url,
    replayed,
)
from tertulia.errors import InvalidParameterError
from tertulia.ids import ApiKey, SessionId

NOW = WallTime(1_767_225_600_000)
FRESH = Delivery(
    delivery_id=1,
    event_id="event",
    callback_id="callback",
    api_key=ApiKey("10000000"),
    session_id=SessionId("2_a"),
    url="https://receiver.example.org/",
    name="streamCreated",
    body="{}",
    status=DeliveryStatus.PENDING,
    created_at_ms=NOW,
    retry_until_ms=NOW + 1000 * GIVE_UP_S,
)


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        *[(Outcome(status), Answer.ACCEPTED) for status in (200, 201, 204, 299)],
        *[(Outcome(status), Answer.REFUSED) for status in (400, 401, 403, 404, 410, 422, 499)],
        *[(Outcome(status), Answer.FAILED) for status in (100, 301, 302, 308, 408, 429, 500, 503, 599)],
        (Outcome(error="no answer in time"), Answer.FAILED),
    ],
)
def test_what_an_answer_means(outcome: Outcome, answer: Answer) -> None:
    assert outcome.answer is answer


def test_every_wait_until_the_end_of_the_day() -> None:
    delivery, now, waits = FRESH, NOW, []
    while True:
        delivery, due = after_attempt(delivery, Outcome(500), now)
        if due is None:
            break
        waits.append((due - now) // 1000)
        now = due
    assert waits[:9] == [5, 10, 20, 40, 80, 160, 320, 640, 900]
    assert set(waits[8:]) == {900}
    assert delivery.status is DeliveryStatus.DEAD
    assert delivery.attempts == len(waits) + 1
    assert GIVE_UP_S - 900 < (now - NOW) / 1000 <= GIVE_UP_S


def test_refusals_count_even_with_failures_between() -> None:
    delivery = FRESH
    for status in (400, 500, 400, 429, 404, 404):
        delivery, due = after_attempt(delivery, Outcome(status), NOW)
        assert due is not None
    delivery, due = after_attempt(delivery, Outcome(400), NOW)
    assert (delivery.status, due) == (DeliveryStatus.SET_ASIDE, None)
    assert (delivery.attempts, delivery.refusals, delivery.last_status) == (7, 5, 400)


def test_a_replayed_delivery_has_a_day_again_and_its_old_ids() -> None:
    dead, _ = after_attempt(FRESH, Outcome(500), WallTime(NOW + 1000 * GIVE_UP_S))
    later = WallTime(NOW + 3 * 1000 * GIVE_UP_S)
    again = replayed(dead, later)
    assert (again.status, again.attempts, again.refusals) == (DeliveryStatus.PENDING, 0, 0)
    assert again.retry_until_ms == later + 1000 * GIVE_UP_S
    assert (again.delivery_id, again.event_id, again.created_at_ms) == (1, "event", NOW)


@pytest.mark.parametrize(
    "url",
    [
        "https://receiver.example.org",
        "HTTP://receiver.example.org:8080/a/b?c=d%20e",
        "https://[2606:4700:4700::1111]/",
        "https://xn--bcher-kva.example/",
    ],
)
def test_addresses_that_callbacks_can_have(url: str) -> None:
    assert check_url(url) == url


UNFIT = [
    *("", "receiver.example.org", "//receiver.example.org/", "file:///etc/passwd", "https://[::1"),
    *("https://bücher.example/", "https://a:b@c/", "https://@c/", "https://c/#", "https://c/#d"),
    *("https://c:0/", "https://c:x/", "https://c/\n", "https://c/\0", "https://c/" + "d" * 2048),
]


@pytest.mark.parametrize("url", UNFIT)
def test_addresses_that_callbacks_cannot_have(url: str) -> None:
    with pytest.raises(InvalidParameterError):
        check_url(url)


PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
FORBIDDEN = [
    *("127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::"),  # this machine
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "fd00::1", "fec0::1"),  # private
    *("169.254.1.1", "fe80::1", "fe80::1%eth0"),  # link-local
    *("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"),  # metadata
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::a00:1"),  # mapped and compatible
    *("2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2001:0:7f00:1::"),  # translated
    *("100.64.0.1", "198.18.0.1", "192.0.2.1", "203.0.113.1", "2001:db8::1"),  # shared, benchmarks, documents
    *("224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "ff02::1"),  # multicast, broadcast, reserved
    *("", "localhost", "1.2.3", "0x7f.1"),  # no addresses
]


@pytest.mark.parametrize("address", PUBLIC)
def test_callbacks_go_to_the_public_internet(address: str) -> None:
    assert AddressRules().may_reach(address)


@pytest.mark.parametrize("address", FORBIDDEN)
def test_callbacks_go_nowhere_else(address: str) -> None:
    assert not AddressRules().may_reach(address)


def test_the_operator_can_allow_networks() -> None:
    rules = AddressRules((ip_network("10.1.0.0/16"), ip_network("fd12::/16")))
    assert rules.may_reach("10.1.2.3")
    assert rules.may_reach("::ffff:10.1.2.3"), "it is the same place"
    assert rules.may_reach("fd12::1")
    assert not rules.may_reach("10.2.0.1")
    assert not rules.may_reach("127.0.0.1")

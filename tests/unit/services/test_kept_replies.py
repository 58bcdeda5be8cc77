"""The requests of one connection."""

from tertulia.services.kept_replies import KEPT_REPLIES, UNANSWERED_REQUESTS, Arrival, KeptReplies


def test_a_new_request_is_open_until_it_is_answered() -> None:
    requests = KeptReplies()
    assert requests.arrive(1) is Arrival.NEW
    assert requests.arrive(1) is Arrival.OPEN
    requests.keep(1, "yes")
    assert requests.find(1) == "yes"


def test_answers_may_come_in_any_order() -> None:
    requests = KeptReplies()
    requests.arrive(1)
    requests.arrive(2)
    requests.keep(2, "two")
    assert requests.arrive(1) is Arrival.OPEN
    requests.keep(1, "one")
    assert (requests.find(1), requests.find(2)) == ("one", "two")


def test_the_latest_replies_are_kept() -> None:
    requests = KeptReplies()
    for number in range(1, KEPT_REPLIES + 2):
        requests.arrive(number)
        requests.keep(number, str(number))
    assert requests.find(1) is None
    assert requests.arrive(1) is Arrival.STALE
    assert requests.find(2) == "2"


def test_open_requests_are_limited() -> None:
    requests = KeptReplies()
    for number in range(1, UNANSWERED_REQUESTS + 1):
        assert requests.arrive(number) is Arrival.NEW
    assert requests.arrive(UNANSWERED_REQUESTS + 1) is Arrival.TOO_MANY
    requests.keep(5, "")
    assert requests.arrive(UNANSWERED_REQUESTS + 1) is Arrival.NEW


def test_a_request_that_was_open_when_its_successors_were_answered_is_still_new() -> None:
    loaded = KeptReplies()
    loaded.keep(9, "nine")
    assert loaded.find(9) == "nine"
    assert loaded.arrive(8) is Arrival.NEW
    assert loaded.arrive(10) is Arrival.NEW

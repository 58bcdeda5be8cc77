"""What becomes of a call: when it is sent again, and what it raises."""

from __future__ import annotations

import pickle

import httpx
import msgspec
import pytest

from tertulia.clock import MonotonicTime
from tertulia.server import errors
from tertulia.server.calls import Call, nothing
from tertulia.server.course import MAX_ANSWER_BYTES, Answer, Collected, Course, Policy, Wait, check_url

POLICY = Policy(timeout_s=10.0, retries=2, first_delay_s=0.2)
NOW = MonotonicTime(100.0)
AWAY = b'{"code": 1006, "message": "The store is not available; try again."}'


def course(*, repeatable: bool) -> Course[None]:
    return Course(Call("GET", "/", nothing, repeatable=repeatable), POLICY, NOW)


def refusal(status: int, body: bytes = b'{"code": 7, "message": "Why."}') -> errors.ApiError:
    with pytest.raises(errors.ApiError) as raised:
        course(repeatable=False).answered(Answer(status, body), NOW)
    return raised.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidParameterError),
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (405, errors.ConflictError),
        (408, errors.NotFoundError),
        (409, errors.ConflictError),
        (413, errors.LimitExceededError),
        (429, errors.LimitExceededError),
        (500, errors.ServerError),
        (503, errors.UnavailableError),
        (302, errors.UnexpectedAnswerError),
    ],
)
def test_each_status_has_its_error_with_code_cause_and_cure(status: int, kind: type[errors.ApiError]) -> None:
    error = refusal(status)

    assert type(error) is kind
    assert (error.status, error.code, error.cause) == (status, 7, "Why.")
    assert error.cure.endswith(".")
    assert str(error) == f"Why. {error.cure}"


def test_codes_tell_apart_what_shares_a_status() -> None:
    assert type(refusal(403, b'{"code": -1, "message": "Issuer not found"}')) is errors.AuthenticationError
    assert type(refusal(400, b'{"code": 10101, "message": "no"}')) is errors.InvalidSessionIdError


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"message": 1}', b"\xff"])
def test_an_answer_without_a_reason_comes_from_something_else(body: bytes) -> None:
    assert type(refusal(404, body)) is errors.UnexpectedAnswerError
    assert type(refusal(502, body)) is errors.UnavailableError


def test_a_result_that_cannot_be_read_is_no_result() -> None:
    call = Call("GET", "/", lambda body: msgspec.json.decode(body, type=dict[str, int]))
    with pytest.raises(errors.UnexpectedAnswerError):
        Course(call, POLICY, NOW).answered(Answer(200, b"<html>"), NOW)


@pytest.mark.parametrize("failure", [httpx.ConnectError("no"), httpx.ConnectTimeout("no"), httpx.PoolTimeout("no")])
@pytest.mark.parametrize("repeatable", [True, False])
def test_what_was_not_sent_is_sent_again(failure: Exception, repeatable: bool) -> None:
    one = course(repeatable=repeatable)
    first, second = one.failed(failure, NOW), one.failed(failure, NOW)

    assert 0.1 <= first.seconds <= 0.2
    assert 0.2 <= second.seconds <= 0.4
    with pytest.raises(errors.ConnectFailedError) as raised:
        one.failed(failure, NOW)
    assert raised.value.__cause__ is failure


@pytest.mark.parametrize("failure", [httpx.ReadTimeout("late"), TimeoutError(), httpx.ReadError("cut")])
def test_what_may_have_been_done_is_sent_again_only_if_that_does_nothing_twice(failure: Exception) -> None:
    assert isinstance(course(repeatable=True).failed(failure, NOW), Wait)
    with pytest.raises(errors.RequestTimeoutError):
        course(repeatable=False).failed(failure, NOW)


def test_a_server_that_is_away_is_asked_again_only_if_that_does_nothing_twice() -> None:
    assert isinstance(course(repeatable=True).answered(Answer(503, AWAY), NOW), Wait)
    with pytest.raises(errors.UnavailableError):
        course(repeatable=False).answered(Answer(503, AWAY), NOW)


def test_a_refusal_is_never_asked_for_again() -> None:
    with pytest.raises(errors.NotFoundError):
        course(repeatable=True).answered(Answer(404, AWAY), NOW)


def test_nothing_is_tried_again_after_the_deadline() -> None:
    one = course(repeatable=True)
    late = MonotonicTime(NOW + POLICY.timeout_s - 0.05)
    with pytest.raises(errors.ConnectFailedError):
        one.failed(httpx.ConnectError("no"), late)
    assert one.left_s(MonotonicTime(NOW + 4)) == pytest.approx(6)


def test_what_speaks_no_http_is_no_server() -> None:
    with pytest.raises(errors.UnexpectedAnswerError):
        course(repeatable=True).failed(httpx.RemoteProtocolError("illegal status line"), NOW)
    broken_off = httpx.RemoteProtocolError("Server disconnected without sending a response.")
    assert isinstance(course(repeatable=True).failed(broken_off, NOW), Wait)


def test_an_answer_without_end_is_given_up() -> None:
    collected = Collected()
    collected.add(b"x" * MAX_ANSWER_BYTES)
    with pytest.raises(errors.UnexpectedAnswerError):
        collected.add(b"x")


@pytest.mark.parametrize("url", ["", "example.org", "ftp://example.org", "http://", "http://exa mple:port"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(errors.InvalidParameterError):
        check_url(url)


def test_errors_can_be_sent_between_processes() -> None:
    error = errors.NotFoundError("There is nothing.", code=404, status=404)
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), copy.cause, copy.cure, copy.code) == (type(error), error.cause, error.cure, error.code)

"""The client's errors against `contract/errors.yaml`."""

from __future__ import annotations

import inspect
import pickle

import pytest

from tertulia.client import MediaFailedError, NotFoundError, PermissionDeniedError, ServerError, SessionError, errors
from tertulia.errors import TertuliaError
from tests.unit.client.conftest import contract

ROWS = [row for row in contract("errors.yaml")["errors"] if not row.get("client_only")]
MADE = [
    errors.authentication_error("x"),
    errors.invalid_session_id("x"),
    errors.invalid_parameter("x"),
    errors.signal_too_long("x"),
    errors.not_connected(),
    errors.connect_failed("x"),
    errors.disconnected(),
    errors.timed_out("x"),
    errors.too_many_requests(256),
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['name']} {row['code']}" for row in ROWS])
def test_every_error_of_the_wire_has_a_class(row: dict[str, object]) -> None:
    name, code = str(row.get("wire_name", row["name"])), int(str(row["code"]))
    error = errors.error_from(name, code, "Words.")
    assert (error.name, error.code, error.message) == (name, code, "Words.")
    assert isinstance(error, ServerError) is (row["http"] == 500 and not isinstance(error, MediaFailedError))
    assert str(error) == f"Words. ({name}, {code})"


def test_an_unknown_name_is_the_servers_matter() -> None:
    assert type(errors.error_from("OT_FROM_THE_FUTURE", 9999, "New.")) is ServerError


@pytest.mark.parametrize("error", MADE, ids=[error.name for error in MADE])
def test_what_the_client_raises_by_itself_is_in_the_contract(error: SessionError) -> None:
    assert (error.name, error.code) in {(row.get("wire_name", row["name"]), row["code"]) for row in ROWS}
    assert type(errors.error_from(error.name, error.code, "x")) is type(error)


def test_all_errors_have_one_root() -> None:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__]
    assert all(issubclass(c, SessionError) for c in classes)
    assert issubclass(SessionError, TertuliaError)


def test_errors_survive_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(errors.error_from("OT_PERMISSION_DENIED", 1520, "No.")))
    assert type(error) is PermissionDeniedError
    assert (error.name, error.code, error.message) == ("OT_PERMISSION_DENIED", 1520, "No.")


def test_a_missing_receiver_and_a_missing_stream_are_one_class() -> None:
    assert {type(errors.error_from(n, 1, "")) for n in ("OT_NOT_FOUND", "OT_STREAM_NOT_FOUND")} == {NotFoundError}

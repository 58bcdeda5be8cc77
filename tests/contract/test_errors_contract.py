"""The table of errors against the contract."""

import inspect
from typing import Any

import pytest

from tertulia import errors
from tests.contract.conftest import load

ROWS: list[dict[str, Any]] = load("errors.yaml")["errors"]


def test_the_table_is_the_contract() -> None:
    written = [
        {
            "name": kind.name,
            "code": kind.code,
            "title": kind.title,
            "meaning": kind.meaning,
            **({"client_only": True} if kind.client_only else {"http": kind.http}),
            **({"rest_code": kind.rest_code} if kind.rest_code is not None else {}),
            **({"wire_name": kind.wire_name} if kind.wire_name is not None else {}),
            **({"requests": list(kind.requests)} if kind.requests else {}),
        }
        for kind in errors.ERRORS
    ]
    assert written == ROWS


def test_name_and_code_name_one_row() -> None:
    keys = [(kind.name, kind.code) for kind in errors.ERRORS]
    assert len(keys) == len(set(keys))


def families() -> list[type[errors.TertuliaError]]:
    return [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, errors.TertuliaError)]


@pytest.mark.parametrize("error", families())
def test_every_exception_stands_in_the_table_and_in_one_family(error: type[errors.TertuliaError]) -> None:
    assert error.default_kind in errors.ERRORS
    roots = (errors.CallerError, errors.PeerProtocolError, errors.UnavailableError, errors.BugError)
    assert error is errors.TertuliaError or sum(issubclass(error, root) for root in roots) == 1


def test_an_error_without_words_says_what_its_row_means() -> None:
    error = errors.StreamNotFoundError()
    assert str(error) == error.message == "No such stream in the session."
    assert (error.kind.sent_name, error.kind.code) == ("OT_STREAM_NOT_FOUND", 1600)
    assert errors.SignalTooLongError().kind.sent_name == "OT_INVALID_PARAMETER"

"""No secret reaches a log."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from tertulia.observability import logging as our_logging
from tertulia.observability.redact import REDACTED, redact

SECRET = "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiI0MDAxMjM0NSJ9.OFZmB-2hJqkOa0VIDN9X4vC4hLZI9iDYhBtxgNQVIew"


def test_secret_keys_are_emptied_at_any_depth() -> None:
    record = redact(
        None, "info", {"event": "joined", "token": "abc", "more": {"resume_key": "k", "ok": [{"secret": 1}]}}
    )

    assert record == {
        "event": "joined",
        "token": REDACTED,
        "more": {"resume_key": REDACTED, "ok": [{"secret": REDACTED}]},
    }


@pytest.mark.parametrize(
    "secret",
    [
        SECRET,
        JWT,
        "T1==cGFydG5lcl9pZD00MDAxMjM0NQ==",
        "scrypt:15:8:1:YWJjZGVmZ2hpamtsbW5vcA:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMg",
    ],
)
def test_secrets_within_texts_are_found(secret: str) -> None:
    record = redact(None, "info", {"event": f"refused {secret}, sorry"})

    assert record["event"] == f"refused {REDACTED}, sorry"


def test_ids_stay_readable() -> None:
    record = {"session_id": "2_MX40MDAxMjM0NX5-MTc2NzI", "connection_id": "b7d0a3c2-0000-4000-8000-000000000000"}

    assert redact(None, "info", dict(record)) == record


def test_our_logs_and_those_of_libraries_are_one_json_line_each(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    try:
        our_logging.configure("info")
        structlog.get_logger("tertulia.test").info("session created", session_id="2_x", token=JWT)
        structlog.get_logger("tertulia.test").debug("not now")
        logging.getLogger("library").warning("it is %s", "late")
    finally:
        root.handlers, root.level = handlers, level
        structlog.reset_defaults()

    ours, theirs = (json.loads(line) for line in capfd.readouterr().err.splitlines())
    assert (ours["event"], ours["session_id"], ours["token"]) == ("session created", "2_x", REDACTED)
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("it is late", "warning", "library")


def test_the_password_in_an_address_is_found() -> None:
    record = redact(None, "info", {"event": "cannot open postgresql://ida:hunter2@db.example.org/tertulia"})

    assert record["event"] == f"cannot open postgresql://{REDACTED}@db.example.org/tertulia"

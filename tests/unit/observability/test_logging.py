"""What stands on standard error."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import logging, structlog, sys
from tertulia.observability.logging import configure
configure("info")
log = structlog.get_logger("tertulia.somewhere")
log.debug("too fine")
log.info("made", token="T1==abc", number=3)
logging.getLogger("library").warning("said %s", "T1==abc")
try:
    1 / 0
except ZeroDivisionError as error:
    log.error("broke", exc_info=error)
sys.stderr.close()
log.info("nobody hears this")
print("went on")
"""


def test_records_of_ours_and_of_libraries_are_lines_of_json_without_secrets() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    records = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(one["event"], one["level"], one["logger"]) for one in records] == [
        ("made", "info", "tertulia.somewhere"),
        ("said [redacted]", "warning", "library"),
        ("broke", "error", "tertulia.somewhere"),
    ]
    assert (records[0]["token"], records[0]["number"]) == ("[redacted]", 3)
    assert "ZeroDivisionError" in records[2]["exception"]
    assert done.stdout == "went on\n", "a log that cannot be written stops nothing"

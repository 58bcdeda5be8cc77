"""That no call of an official SDK is left out: each method is in its driver, and each call of a driver in a test."""

from __future__ import annotations

from pathlib import Path

from tests.integration.sdks.sdk import Sdk

HERE = Path(__file__).parent
DRIVERS = {"python": "python/driver.py", "node": "node/driver.js", "java": "java/Driver.java"}
NO_CALLS: dict[str, set[str]] = {
    # Older names of other methods, and what sends nothing.
    "python": {"signal", "get_archives", "headers", "json_headers", "get_headers", "get_json_headers"}
    | {"append_to_user_agent", "validate_websocket_options"},
    "node": {"generateJwt"},
    "java": set(),
}


async def test_every_method_of_the_sdk_is_in_its_driver(sdk: Sdk) -> None:
    methods = {name for name in await sdk("methods") if not name.startswith("_")}
    driver = (HERE / DRIVERS[sdk.language]).read_text(encoding="utf-8")
    calls = {"python": "client.{}", "node": '"{}"', "java": "sdk.{}("}[sdk.language]
    left_out = {name for name in methods if calls.format(name) not in driver and f"sdk.{name}(" not in driver}
    assert left_out == NO_CALLS[sdk.language]
    assert len(methods) > 30


def test_every_call_of_a_driver_is_in_a_test(sdk: Sdk) -> None:
    files = [file for file in HERE.glob("test_*.py") if file != Path(__file__)]
    tests = "".join(file.read_text(encoding="utf-8") for file in files)
    of_one = {f"{verb}_{what}_stream" for verb in ("add", "remove") for what in ("archive", "broadcast")}
    of_one |= {"set_archive_layout", "set_broadcast_layout"}  # made by both names at once
    assert {name for name in sdk.offers - of_one if f'"{name}"' not in tests} == set()

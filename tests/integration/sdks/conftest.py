"""The official SDKs, each in a process of its own, against one running server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.sdks import packages
from tests.integration.sdks.sdk import Sdk
from tests.promises import Promises
from tests.servers import TertuliaServer

SDKS = ("python", "node", "java")

Connect = Callable[[str, str], Sdk]


@pytest.fixture(scope="session")
def fetched() -> None:
    """All three, at once."""
    with ThreadPoolExecutor(3) as pool:
        fetching = [pool.submit(fetch) for fetch in (packages.fetch_python, packages.fetch_node, packages.fetch_java)]
    for one in fetching:
        try:
            one.result()
        except packages.FetchError as error:
            pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    with TertuliaServer(tmp_path_factory.mktemp("sdks")) as running:
        yield running


@pytest.fixture(scope="session")
def promises(server: TertuliaServer) -> Iterator[Promises]:
    """The server's address for the SDKs, where every answer is checked against the description of the API."""
    with Promises(server.url) as running:
        yield running


@pytest.fixture(scope="session")
def connect(
    fetched: None, server: TertuliaServer, promises: Promises, tmp_path_factory: pytest.TempPathFactory
) -> Connect:
    """Makes a driver of an SDK that uses a secret for the server's project."""

    def make(language: str, api_secret: str) -> Sdk:
        drivers = {
            "python": packages.python_program(packages.HERE / "python" / "driver.py"),
            "node": packages.node_program(packages.HERE / "node" / "driver.js"),
            "java": packages.java_program(packages.HERE / "java" / "Driver.java"),
        }
        log = tmp_path_factory.mktemp("driver") / "log"
        return Sdk(
            language, drivers[language], url=promises.url, api_key=server.api_key, api_secret=api_secret, log=log
        )

    return make


@pytest.fixture(scope="session", params=SDKS)
def sdk(request: pytest.FixtureRequest, connect: Connect, server: TertuliaServer) -> Iterator[Sdk]:
    with connect(request.param, server.api_secret) as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of these tests fetches the SDKs, and compiles."""
    for item in items:
        if item.path.parent == packages.HERE:
            item.add_marker(pytest.mark.timeout(packages.FETCH_DEADLINE_S + 60))

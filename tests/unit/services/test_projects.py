"""Projects."""

import pytest

from tertulia.errors import AuthenticationError, InternalError
from tertulia.ids import ApiKey
from tertulia.services.projects import Projects
from tests.fakes.clock import FakeClock
from tests.fakes.house import verify_token
from tests.fakes.ids import CountingIds
from tests.fakes.store import MemoryStore


async def test_a_project_is_made_found_and_listed() -> None:
    projects = Projects(MemoryStore(), CountingIds())
    first, second = await projects.create("first"), await projects.create("second")
    assert await projects.find(first.api_key) == first
    assert await projects.find("00000000") is None
    assert await projects.list() == [first, second]
    assert first.api_secret not in repr(first)


async def test_a_key_that_is_taken_is_drawn_again() -> None:
    store = MemoryStore()
    first = await Projects(store, CountingIds()).create("first")
    second = await Projects(store, CountingIds()).create("second")
    assert second.api_key != first.api_key


async def test_no_free_key_is_said() -> None:
    class StuckIds(CountingIds):
        def api_key(self) -> ApiKey:
            return ApiKey("10000000")

    projects = Projects(MemoryStore(), StuckIds())
    await projects.create("first")
    with pytest.raises(InternalError):
        await projects.create("second")


async def test_a_token_is_verified_with_the_project_it_names() -> None:
    projects = Projects(MemoryStore(), CountingIds())
    project = await projects.create("test")
    now = FakeClock().wall()
    claims = await projects.verify(f"{project.api_key}/2_x/publisher/", verify_token, now)
    assert claims.api_key == project.api_key
    with pytest.raises(AuthenticationError, match="no project"):
        await projects.verify("99999999/2_x/publisher/", verify_token, now)
    with pytest.raises(AuthenticationError, match="malformed"):
        await projects.verify("nonsense", verify_token, now)

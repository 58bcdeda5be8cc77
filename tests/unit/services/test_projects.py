"""Projects."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tertulia.clock import WallTime
from tertulia.domain.project import Project, ProjectStatus
from tertulia.errors import AuthenticationError, InternalError, InvalidParameterError, NotFoundError
from tertulia.ids import ApiKey
from tertulia.services.projects import REMEMBERED_S, Projects
from tests.fakes.clock import FakeClock
from tests.fakes.house import verify_token
from tests.fakes.ids import CountingIds
from tests.fakes.store import MemoryStore


async def test_a_project_is_made_found_and_listed() -> None:
    projects = Projects(MemoryStore(), CountingIds(), FakeClock())
    first, second = await projects.create("first"), await projects.create("second")
    assert await projects.find(first.api_key) == first
    assert await projects.find("00000000") is None
    assert await projects.list() == [first, second]
    assert first.api_secret not in repr(first)


async def test_a_key_that_is_taken_is_drawn_again() -> None:
    store = MemoryStore()
    first = await Projects(store, CountingIds(), FakeClock()).create("first")
    second = await Projects(store, CountingIds(), FakeClock()).create("second")
    assert second.api_key != first.api_key


async def test_no_free_key_is_said() -> None:
    class StuckIds(CountingIds):
        def api_key(self) -> ApiKey:
            return ApiKey("10000000")

    projects = Projects(MemoryStore(), StuckIds(), FakeClock())
    await projects.create("first")
    with pytest.raises(InternalError):
        await projects.create("second")


async def test_a_token_is_verified_with_the_project_it_names() -> None:
    projects = Projects(MemoryStore(), CountingIds(), FakeClock())
    project = await projects.create("test")
    now = FakeClock().wall()
    claims = await projects.verify(f"{project.api_key}/2_x/publisher/", verify_token, now)
    assert claims.api_key == project.api_key
    with pytest.raises(AuthenticationError, match="no project"):
        await projects.verify("99999999/2_x/publisher/", verify_token, now)
    with pytest.raises(AuthenticationError, match="malformed"):
        await projects.verify("nonsense", verify_token, now)


async def test_what_another_process_changes_counts_within_a_second_and_a_new_secret_at_once() -> None:
    store, ids, clock = MemoryStore(), CountingIds(), FakeClock()
    projects, elsewhere = Projects(store, ids, clock), Projects(store, ids, clock)
    project = await projects.create("test")

    async def verify(api_secret: str) -> object:
        """As verifiers do: the token names the project and is signed with its secret."""

        def verifier(token: str, find: Callable[[str], Project | None], now: WallTime) -> str:
            found = find(project.api_key)
            if found is None or found.api_secret != token or found.status is not ProjectStatus.ACTIVE:
                raise AuthenticationError
            return token

        return await projects.verify(api_secret, verifier, clock.wall())

    await verify(project.api_secret)
    rotated = await elsewhere.rotate_secret(project.api_key)
    await verify(project.api_secret)
    await verify(rotated.api_secret)
    with pytest.raises(AuthenticationError):
        await verify(project.api_secret)

    await elsewhere.set_status(project.api_key, ProjectStatus.SUSPENDED)
    await verify(rotated.api_secret)
    clock.advance(REMEMBERED_S)
    with pytest.raises(AuthenticationError):
        await verify(rotated.api_secret)

    await elsewhere.set_status(project.api_key, ProjectStatus.ACTIVE)
    await verify(rotated.api_secret)
    await projects.delete(project.api_key)
    with pytest.raises(AuthenticationError):
        await verify(rotated.api_secret)


async def test_projects_that_are_remembered_are_not_read_again_and_never_more_than_a_thousand() -> None:
    class CountingStore(MemoryStore):
        reads = 0

        async def find_project(self, api_key: ApiKey) -> Project | None:
            self.reads += 1
            return await super().find_project(api_key)

    store, clock = CountingStore(), FakeClock()
    projects = Projects(store, CountingIds(), clock)
    keys = [(await projects.create(str(number))).api_key for number in range(1_100)]

    for key in keys:
        await projects.verify(f"{key}/2_x/publisher/", verify_token, clock.wall())
    assert store.reads == len(keys)
    await projects.verify(f"{keys[-1]}/2_x/publisher/", verify_token, clock.wall())
    assert store.reads == len(keys)
    await projects.verify(f"{keys[0]}/2_x/publisher/", verify_token, clock.wall())
    assert store.reads == len(keys) + 1


async def test_existing_credentials_are_kept() -> None:
    projects = Projects(MemoryStore(), CountingIds(), FakeClock())
    key, secret = "40012345", "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68"
    made = await projects.create("brought", api_key=key, api_secret=secret, accept_known_keys=True)
    assert (made.api_key, made.api_secret, made.accept_known_keys) == (key, secret, True)
    assert made.created_at_ms == FakeClock().wall()
    with pytest.raises(InvalidParameterError, match="already"):
        await projects.create(api_key=key)


@pytest.mark.parametrize(
    "api_key", ["1234567", "012345678", "2147483648", "12345678901", "4001234x", "４００１２３４５"]
)
async def test_a_key_that_sdks_cannot_hold_is_refused(api_key: str) -> None:
    projects = Projects(MemoryStore(), CountingIds(), FakeClock())
    with pytest.raises(InvalidParameterError, match="API key"):
        await projects.create(api_key=api_key)
    assert await projects.list() == []


@pytest.mark.parametrize("api_secret", ["", "A" * 40, "a" * 39, "a" * 41, "g" * 40])
async def test_a_secret_of_another_shape_is_refused(api_secret: str) -> None:
    projects = Projects(MemoryStore(), CountingIds(), FakeClock())
    with pytest.raises(InvalidParameterError, match="API secret"):
        await projects.create(api_secret=api_secret)


async def test_a_project_is_renamed_suspended_rotated_and_deleted() -> None:
    projects = Projects(MemoryStore(), CountingIds(), FakeClock())
    made = await projects.create("first")
    bystander = await projects.create("other")
    assert (await projects.change(made.api_key, name="second", accept_known_keys=True)).name == "second"
    await projects.set_status(made.api_key, ProjectStatus.SUSPENDED)
    rotated = await projects.rotate_secret(made.api_key)
    assert rotated.api_secret != made.api_secret
    assert rotated == await projects.find(made.api_key)
    assert (rotated.name, rotated.status, rotated.accept_known_keys) == ("second", ProjectStatus.SUSPENDED, True)
    await projects.delete(made.api_key)
    assert await projects.list() == [bystander]
    for refused in (
        projects.change(made.api_key, name="x"),
        projects.set_status(made.api_key, ProjectStatus.ACTIVE),
        projects.rotate_secret(made.api_key),
        projects.delete(made.api_key),
    ):
        with pytest.raises(NotFoundError):
            await refused


async def test_a_project_of_the_configuration_is_changed_there() -> None:
    store = MemoryStore()
    given = Project(ApiKey("40012345"), "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68", "given")
    projects = Projects(store, CountingIds(), FakeClock(), [given.api_key])
    await projects.provide(given)
    await projects.set_status(given.api_key, ProjectStatus.SUSPENDED)
    for refused in (projects.rotate_secret(given.api_key), projects.delete(given.api_key)):
        with pytest.raises(InvalidParameterError, match="configuration file"):
            await refused
    await projects.provide(replace(given, api_secret="0" + given.api_secret[1:], name="renamed"))
    now = await projects.find(given.api_key)
    assert now is not None
    assert (now.api_secret[0], now.name, now.status) == ("0", "renamed", ProjectStatus.SUSPENDED)
    assert now.created_at_ms == FakeClock().wall()


async def test_a_name_that_is_no_line_is_refused() -> None:
    projects = Projects(MemoryStore(), CountingIds(), FakeClock())
    with pytest.raises(InvalidParameterError, match="name"):
        await projects.create("x" * 201)

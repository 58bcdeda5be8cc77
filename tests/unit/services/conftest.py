"""A control on fakes for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.house import House
from tests.fakes.store import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def house(store: MemoryStore) -> AsyncIterator[House]:
    opened = await House.open(store)
    yield opened
    await opened.sessions.close()

"""The shared state of a session, whatever happens: who is here, comes late or comes back has the same."""

import random
from collections.abc import Mapping

import pytest

from tertulia.domain.roles import Role
from tertulia.wire import signalling
from tests.fakes.house import Client, House
from tests.fakes.store import MemoryStore

KEYS = ("slide", "speaker", "publisher_topic", "moderator_lock", "bad key")


class Reader:
    """A client, and the state as it knows it from what it was told."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.here = True
        self.state: dict[str, str] = {}
        self.number = 0
        self._read = 0
        self._socket = client.socket

    def read(self) -> dict[str, str]:
        if self.client.socket is not self._socket:
            self._socket, self._read = self.client.socket, 0
        frames = self.client.socket.frames
        for frame in frames[self._read :]:
            self.number = frame.number or self.number
            match frame.body:
                case signalling.Joined(state=state, number=number):
                    self.state, self.number = dict(state or {}), number
                case signalling.Resumed(snapshot=signalling.Snapshot(state=state, number=number)):
                    self.state, self.number = dict(state or {}), number
                case signalling.StateChanged(values):
                    self._change(values)
                case _:
                    pass
        self._read = len(frames)
        return self.state

    async def lose(self) -> None:
        self.read()
        await self.client.lose()
        self.here = False

    async def resume(self, house: House) -> None:
        self.read()
        await self.client.resume(after=self.number, house=house)
        self.here = True

    def _change(self, values: Mapping[str, str | None]) -> None:
        for key, value in values.items():
            assert self.state.get(key) != value, "nobody is told what is no news"
            if value is None:
                del self.state[key]
            else:
                self.state[key] = value


@pytest.mark.parametrize("seed", range(6))
async def test_late_and_resumed_clients_have_the_state_of_those_who_never_left(seed: int) -> None:
    chance = random.Random(seed)
    store = MemoryStore()
    house = await House.open(store)
    witness = Reader(await house.join(Role.MODERATOR))
    others = [Reader(await house.join(role)) for role in (Role.PUBLISHER, Role.SUBSCRIBER)]
    for _ in range(60):
        asker, other = chance.choice([witness, *others]), chance.choice(others)
        match chance.choice(("set", "set", "set", "lose", "resume", "resume", "join", "forget", "kill")):
            case "set" if asker.here:
                keys = chance.sample(KEYS, chance.randint(1, 3))
                values = {key: chance.choice(("1", "2", None)) for key in keys}
                await asker.client.ask(signalling.SetState(values))
            case "lose" if other.here:
                await other.lose()
            case "resume" if not other.here:
                await other.resume(house)
            case "join" if len(others) < 6:
                others.append(Reader(await house.join(chance.choice(list(Role)))))
            case "forget":
                store.forget_log(house.record.session_id, witness.number - 1)
            case "kill":
                house = await house.killed()
                for reader in (witness, *others):
                    await reader.resume(house)
            case _:
                pass
        for reader in others:
            assert not reader.here or reader.read() == witness.read()
    await house.sessions.close()
    assert witness.state, "something was set"

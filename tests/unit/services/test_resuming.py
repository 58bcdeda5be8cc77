"""Clients that come back after their socket is lost: what they are told, and who is let in."""

import pytest

from tertulia.domain.roles import Reason, Role
from tertulia.errors import (
    AuthenticationError,
    NotConnectedError,
    UnavailableError,
)
from tertulia.services.backlog import BACKLOG_ROWS
from tertulia.services.ports import SocketEnd
from tertulia.services.sessions import ConnectionEndedError, ResumeRequest
from tertulia.wire import signalling
from tests.fakes.house import House, settle
from tests.fakes.socket import FakeSocket
from tests.fakes.store import MemoryStore


async def test_a_lost_client_resumes_and_misses_nothing(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    first = ben.socket
    await ben.lose()
    for word in ("one", "two"):
        await ana.ask(signalling.SendSignal(data=word))
    await ben.resume()
    assert [signal.data for signal in ben.of(signalling.Signal)] == ["one", "two"]
    assert isinstance(ben.socket.messages[0], signalling.Resumed)
    assert ana.of(signalling.ConnectionInterrupted) == [signalling.ConnectionInterrupted(ben.id)]
    assert ana.of(signalling.ConnectionRestored) == [signalling.ConnectionRestored(ben.id)]
    assert not set(first.numbers) & set(ben.socket.numbers), "nothing comes twice"


async def test_only_what_was_for_the_client_is_replayed(house: House) -> None:
    ana, ben, eve = await house.join(), await house.join(suppressed=True), await house.join()
    await ben.lose()
    await ana.ask(signalling.SendSignal(to=eve.id, data="secret"))
    await eve.ask(signalling.Leave())
    await ana.ask(signalling.SendSignal(data="open"))
    await ben.resume()
    assert [type(message) for message in ben.socket.messages] == [signalling.Resumed, signalling.Signal]


async def test_nothing_from_before_it_joined_is_replayed(house: House) -> None:
    ana = await house.join()
    await ana.ask(signalling.SendSignal(data="early"))
    ben = await house.join()
    await ben.lose()
    await ben.resume(after=0)
    assert ben.of(signalling.Signal) == []
    (resumed,) = ben.of(signalling.Resumed)
    assert resumed.snapshot is None


async def test_who_was_away_longer_than_the_log_gets_a_snapshot(house: House, store: MemoryStore) -> None:
    ana, ben = await house.join(), await house.join()
    await ben.lose()
    stream = await ana.publish()
    await ana.ask(signalling.SendSignal(data="gone"))
    store.forget_log(house.record.session_id, ana.last_number - 1)
    await ben.resume()
    (resumed,) = ben.of(signalling.Resumed)
    assert resumed.snapshot is not None
    assert [each.id for each in resumed.snapshot.connections] == [ana.id, ben.id]
    assert resumed.snapshot.streams == [stream]
    assert resumed.snapshot.number >= ana.last_number
    assert ben.socket.numbers == []


async def test_a_snapshot_has_the_mute_state_and_the_shared_state(house: House, store: MemoryStore) -> None:
    ana, ben = await house.join(Role.MODERATOR), await house.join()
    await ben.lose()
    await ana.ask(signalling.ForceMuteAll([]))
    await ana.ask(signalling.SetState({"slide": "7", "speaker": "ana"}))
    await ana.ask(signalling.SetState({"speaker": None}))
    store.forget_log(house.record.session_id, ana.last_number - 1)
    await ben.resume()
    (resumed,) = ben.of(signalling.Resumed)
    assert resumed.snapshot is not None
    assert (resumed.snapshot.muted, resumed.snapshot.state) == (True, {"slide": "7"})


async def test_a_client_ahead_of_the_log_gets_a_snapshot(house: House) -> None:
    ana = await house.join()
    await ana.lose()
    await ana.resume(after=1_000_000)
    (resumed,) = ana.of(signalling.Resumed)
    assert resumed.snapshot is not None


async def test_resuming_elsewhere_closes_the_old_socket_and_interrupts_nobody(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    old_socket, old_attachment = ana.socket, ana.attachment
    await ana.resume()
    assert old_socket.end is SocketEnd.REPLACED
    assert old_attachment is not None
    old_attachment.lost()
    await settle()
    await ben.ask(signalling.SendSignal(to=ana.id, data="still there"))
    assert [signal.data for signal in ana.of(signalling.Signal)] == ["still there"]
    assert ben.of(signalling.ConnectionInterrupted) == []


async def test_a_long_absence_is_made_up_for_page_by_page(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ben.lose()
    missed = 2 * BACKLOG_ROWS + 7
    for number in range(missed):
        await house.sessions.signal(house.record.session_id, to=None, signal_type=None, data=str(number))
    await ben.resume()
    assert len(ben.of(signalling.Signal)) <= BACKLOG_ROWS, "the rest waits until the client has taken these"
    await ana.ask(signalling.SendSignal(data="after that"))

    await ben.socket.read_on()

    heard = [signal.data for signal in ben.of(signalling.Signal)]
    assert heard == [*map(str, range(missed)), "after that"]
    assert ben.socket.numbers == sorted(set(ben.socket.numbers))


async def test_a_log_that_is_trimmed_during_a_long_backlog_makes_the_client_resume(
    house: House, store: MemoryStore
) -> None:
    await house.join()
    ben = await house.join()
    await ben.lose()
    for _ in range(2 * BACKLOG_ROWS):
        await house.sessions.signal(house.record.session_id, to=None, signal_type=None, data=None)
    await ben.resume()
    store.forget_log(house.record.session_id, up_to=ben.last_number + 10)

    with pytest.raises(UnavailableError):
        await ben.socket.read_on()


async def test_a_forged_or_foreign_resume_key_is_refused_and_nothing_changes(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    for key in ("", "1.1.1.x", ben.resume_key, ana.resume_key[:-1] + "0", "é" * 40, "1." * 100):
        with pytest.raises(AuthenticationError):
            await house.sessions.resume(ResumeRequest(ana.id, key, 0), FakeSocket())
    assert ana.socket.end is None


async def test_a_replaced_resume_key_is_refused(house: House) -> None:
    ana = await house.join()
    first = ana.resume_key
    await ana.resume()
    await ana.resume()
    with pytest.raises(AuthenticationError):
        await ana.resume(key=first)


async def test_a_seat_ends_when_its_time_is_over(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ana.lose()
    await house.pass_time(house.limits.seat_held_s - 0.1)
    assert ben.of(signalling.ConnectionDestroyed) == []
    await house.pass_time(0.2)
    assert ben.of(signalling.ConnectionDestroyed) == [signalling.ConnectionDestroyed(ana.id, "networkDisconnected")]
    with pytest.raises(NotConnectedError):
        await ana.resume()


async def test_a_client_that_was_away_when_it_was_kicked_learns_why(house: House) -> None:
    ana, moderator = await house.join(), await house.join(Role.MODERATOR)
    await ana.lose()
    await moderator.send(signalling.ForceDisconnect(ana.id))
    with pytest.raises(ConnectionEndedError) as ended:
        await ana.resume()
    assert ended.value.reason is Reason.FORCE_DISCONNECTED

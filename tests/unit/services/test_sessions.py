"""Sessions as the REST API and the signalling adapter use them."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tertulia.domain.roles import Role
from tertulia.errors import (
    AuthenticationError,
    ConnectFailedError,
    EncryptionSecretMissingError,
    ForceUnpublishInvalidStreamError,
    InvalidSessionIdError,
    NotConnectedError,
    NotFoundError,
    SessionIdFormatError,
    SignalInvalidError,
    StreamNotFoundError,
)
from tertulia.services.audience import PACED_FROM
from tertulia.services.ports import SocketEnd, WriteBatch
from tertulia.services.sessions import JoinRequest
from tertulia.wire import signalling
from tests.fakes.house import House, make_token, settle
from tests.fakes.socket import FakeSocket
from tests.fakes.store import MemoryStore


async def test_a_session_is_made_as_asked_and_found_again(house: House) -> None:
    made = await house.sessions.records.create(
        house.record.api_key, media_mode="relayed", archive_mode="manual", location="12.34.56.78", e2ee=False
    )
    assert made.session_id.startswith("1_")
    assert await house.sessions.records.find(made.session_id) == made
    assert await house.sessions.records.find("2_unknown") is None


async def test_who_joins_is_welcomed_and_announced(house: House) -> None:
    ana = await house.join(Role.MODERATOR)
    ben = await house.join(Role.SUBSCRIBER)
    (joined,) = ben.of(signalling.Joined)
    assert [each.id for each in joined.connections] == [ana.id, ben.id]
    assert (joined.role, joined.capabilities.publish, joined.capabilities.signal) == ("subscriber", 0, 1)
    assert (joined.heartbeat_s, joined.reconnect_window_s) == (10.0, 3.0)
    assert [each.connection.id for each in ana.of(signalling.ConnectionCreated)] == [ben.id]
    assert ben.of(signalling.ConnectionCreated) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"token": "nonsense"}, "malformed"),
        ({"token": "99999999/x/publisher/"}, "no project"),
        ({"session_id": "2_" + "o" * 40}, "another session"),
        ({"api_key": "99999999"}, "another project"),
    ],
)
async def test_a_token_that_does_not_open_the_session_is_refused(
    house: House, change: dict[str, Any], words: str
) -> None:
    socket = FakeSocket()
    with pytest.raises(AuthenticationError, match=words):
        await house.sessions.join(replace(JoinRequest(make_token(house.record)), **change), socket)
    assert socket.frames == []


@pytest.mark.parametrize("session_id", ["", "nonsense", "2_not~base64"])
async def test_what_is_no_session_id_is_called_that_and_not_a_wrong_token(house: House, session_id: str) -> None:
    with pytest.raises(SessionIdFormatError):
        await house.sessions.join(JoinRequest(make_token(house.record), session_id=session_id), FakeSocket())


async def test_a_token_for_a_session_of_another_project_is_refused(house: House) -> None:
    other = await house.projects.create("other")
    token = make_token(house.record).replace(house.record.api_key, other.api_key)
    with pytest.raises(AuthenticationError, match="belongs to another project"):
        await house.sessions.join(JoinRequest(token), FakeSocket())


async def test_a_token_for_no_session_is_refused(house: House) -> None:
    token = make_token(house.record).replace(house.record.session_id, "2_none")
    with pytest.raises(InvalidSessionIdError):
        await house.sessions.join(JoinRequest(token), FakeSocket())


async def test_a_session_that_is_encrypted_end_to_end_takes_only_clients_that_encrypt(house: House) -> None:
    record = await house.sessions.records.create(
        house.record.api_key, media_mode="routed", archive_mode="manual", location=None, e2ee=True
    )
    socket = FakeSocket()
    with pytest.raises(EncryptionSecretMissingError):
        await house.sessions.join(JoinRequest(make_token(record)), socket)
    assert socket.frames == []
    attachment = await house.sessions.join(JoinRequest(make_token(record), encrypts=True), socket)
    assert attachment.connection_id


async def test_what_a_client_says_of_itself_is_told_apart_from_its_token(house: House) -> None:
    ana = await house.join()
    for token_data, said in (("from the token", "moderator"), ("", "moderator"), ("", "")):
        request = JoinRequest(make_token(house.record, data=token_data), client_data=said)
        await house.sessions.join(request, FakeSocket())
    told = [created.connection for created in ana.of(signalling.ConnectionCreated)]
    assert [(each.data, each.client_data) for each in told] == [
        ("from the token", "moderator"),
        ("", "moderator"),
        ("", None),
    ]


async def test_who_suppresses_connection_events_gets_none(house: House) -> None:
    ana = await house.join(suppressed=True)
    ben = await house.join()
    await ben.send(signalling.Leave())
    assert ana.of(signalling.ConnectionCreated) == []
    assert ana.of(signalling.ConnectionDestroyed) == []


async def test_a_signal_reaches_all_in_one_frame_and_is_answered(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    reply = await ana.ask(signalling.SendSignal(data="hi"))
    assert reply.error is None
    assert ana.of(signalling.Signal) == ben.of(signalling.Signal) == [signalling.Signal(ana.id, None, "hi")]
    assert ana.socket.numbers[-1] == ben.socket.numbers[-1]


async def test_a_request_out_of_role_is_answered_with_its_code(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    reply = await ana.ask(signalling.ForceDisconnect(ben.id))
    assert reply.error is not None
    assert (reply.error.name, reply.error.code) == ("OT_PERMISSION_DENIED", 1520)
    assert ben.socket.end is None


async def test_a_moderator_disconnects(house: House) -> None:
    mona, ana, ben = await house.join(Role.MODERATOR), await house.join(), await house.join()
    await mona.ask(signalling.ForceDisconnect(ana.id))
    assert ana.of(signalling.Disconnected) == [signalling.Disconnected("forceDisconnected")]
    assert ana.socket.end is SocketEnd.ENDED
    assert ben.of(signalling.ConnectionDestroyed) == [signalling.ConnectionDestroyed(ana.id, "forceDisconnected")]
    with pytest.raises(NotConnectedError):
        await ana.resume()


async def test_who_leaves_is_answered_before_its_socket_closes(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    reply = await ana.ask(signalling.Leave())
    assert reply.error is None
    assert ana.socket.end is SocketEnd.ENDED
    assert ana.of(signalling.Disconnected) == []
    await ana.lose()
    assert ben.of(signalling.ConnectionInterrupted) == []
    assert ben.of(signalling.ConnectionDestroyed) == [signalling.ConnectionDestroyed(ana.id, "clientDisconnected")]


async def test_a_crowd_that_leaves_is_answered_at_once_and_costs_each_client_two_writes() -> None:
    house = await House.open(seats=PACED_FROM + 20)
    stays, *leavers = [await house.join() for _ in range(PACED_FROM + 20)]
    house.clock.advance(1)
    before = [client.socket.writes for client in leavers]
    for client in leavers[: len(leavers) // 2]:
        await client.send(signalling.Leave())
    await asyncio.gather(*(client.send(signalling.Leave()) for client in leavers[len(leavers) // 2 :]))
    # The first of them is told at once, what follows is held: to those who go it is told no more.
    assert all(client.of(signalling.Reply)[-1].error is None for client in leavers)
    writes = [client.socket.writes - so_far for client, so_far in zip(leavers, before, strict=True)]
    assert max(writes) <= 2
    house.clock.advance(1)
    gone = [each.connection_id for each in stays.of(signalling.ConnectionDestroyed)]
    assert sorted(gone) == sorted(client.id for client in leavers)
    assert stays.socket.numbers == sorted(stays.socket.numbers)


async def test_the_api_signals_disconnects_and_unpublishes(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    session_id = house.record.session_id
    await house.sessions.signal(session_id, to=ben.id, signal_type="chat", data="psst")
    stream = await ana.publish()
    await house.sessions.force_unpublish(session_id, stream.id)
    await house.sessions.force_disconnect(session_id, ana.id)
    await settle()
    assert ana.of(signalling.Signal) == []
    assert ben.of(signalling.Signal) == [signalling.Signal(None, "chat", "psst")]
    assert [each.reason for each in ben.of(signalling.StreamDestroyed)] == ["forceUnpublished"]
    assert ana.socket.end is SocketEnd.ENDED


async def test_everybody_of_a_project_is_sent_out(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    other = await house.projects.create("other")
    await house.sessions.evict(other.api_key)
    await settle()
    assert ana.socket.end is ben.socket.end is None
    await house.sessions.evict(house.record.api_key)
    await settle()
    for person in (ana, ben):
        assert person.of(signalling.Disconnected) == [signalling.Disconnected("forceDisconnected")]
        assert person.socket.end is SocketEnd.ENDED


async def test_the_api_is_told_what_is_not_there(house: House) -> None:
    sessions, session_id = house.sessions, house.record.session_id
    with pytest.raises(InvalidSessionIdError):
        await sessions.force_disconnect("2_none", "x")
    with pytest.raises(NotFoundError):
        await sessions.signal(session_id, to=None, signal_type=None, data=None)
    await house.join()
    with pytest.raises(NotFoundError):
        await sessions.force_disconnect(session_id, "x")
    with pytest.raises(ForceUnpublishInvalidStreamError):
        await sessions.force_unpublish(session_id, "x")
    with pytest.raises(SignalInvalidError):
        await sessions.signal(session_id, to=None, signal_type="a b", data=None)


async def test_the_mute_state_of_a_session_survives_a_restart(house: House) -> None:
    ana, ben = await house.join(Role.MODERATOR), await house.join()
    await ana.send(signalling.ForceMuteAll([]))
    assert ben.of(signalling.MuteForced) == [signalling.MuteForced(True)]
    again = await house.killed()
    late = await again.join()
    (joined,) = late.of(signalling.Joined)
    assert joined.muted
    await again.sessions.disable_force_mute(again.record.session_id)
    await settle()
    assert late.of(signalling.MuteForced) == [signalling.MuteForced(False)]


async def test_the_shared_state_survives_a_restart_and_an_empty_session(house: House) -> None:
    ana = await house.join()
    refused = await ana.ask(signalling.SetState({"moderator_lock": "on"}))
    assert refused.error is not None
    assert (refused.error.name, refused.error.code) == ("OT_PERMISSION_DENIED", 401)
    await ana.ask(signalling.SetState({"slide": "7"}))
    await ana.send(signalling.Leave())
    again = await (await house.killed()).killed()
    (joined,) = (await again.join()).of(signalling.Joined)
    assert joined.state == {"slide": "7"}


async def test_the_api_mutes_a_stream_and_all_streams(house: House) -> None:
    ana = await house.join()
    stream = await ana.publish()
    session_id = house.record.session_id
    await house.sessions.force_mute_all(session_id, [stream.id])
    await settle()
    assert ana.of(signalling.StreamMuted) == []
    await house.sessions.force_mute_stream(session_id, stream.id)
    await settle()
    assert ana.of(signalling.StreamMuted) == [signalling.StreamMuted(stream.id)]
    with pytest.raises(StreamNotFoundError):
        await house.sessions.force_mute_stream(session_id, "nobody's")
    with pytest.raises(InvalidSessionIdError):
        await house.sessions.disable_force_mute("2_none")


async def test_a_repeated_request_is_answered_as_it_was_and_done_once(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    request_id = await ana.send(signalling.SendSignal(data="once"))
    first = ana.reply_to(request_id)
    await ana.lose()
    await ana.resume()
    await ana.send(signalling.SendSignal(data="once"), request_id)
    assert ana.reply_to(request_id) == first
    assert len(ben.of(signalling.Signal)) == 1


async def test_a_request_that_is_still_open_is_not_begun_twice(house: House) -> None:
    ana = await house.join()
    house.router.hold()
    request_id = await ana.send(signalling.Negotiate(1, "v=0", []))
    await ana.send(signalling.Negotiate(1, "v=0", []), request_id)
    house.router.release()
    await settle()
    assert ana.reply_to(request_id).error is None


async def test_a_number_that_is_older_than_every_kept_reply_is_refused(house: House) -> None:
    ana = await house.join()
    for _ in range(260):
        await ana.send(signalling.Unsubscribe(1))
    await ana.send(signalling.SendSignal(data="late"), 2)
    reply = ana.of(signalling.Reply)[-1]
    assert reply.id == 2
    assert reply.error is not None
    assert ana.of(signalling.Signal) == []


async def test_too_many_open_requests_close_the_socket(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    house.router.hold()
    await ana.send(signalling.Negotiate(1, "v=0", []))
    live = house.sessions._directory.sessions[ana.id]
    requests = live._requests[ana.id]
    for number in range(2, 257):
        requests.arrive(number)
    await ana.send(signalling.SendSignal(), 1000)
    assert ana.socket.end is SocketEnd.UNLAWFUL
    assert ben.of(signalling.ConnectionInterrupted) == [signalling.ConnectionInterrupted(ana.id)]


async def test_a_store_that_is_away_for_a_minute_ends_no_call(house: House, store: MemoryStore) -> None:
    ana, ben = await house.join(), await house.join()
    back = asyncio.Event()
    commit = store.commit

    async def wait(batch: WriteBatch) -> bool:
        await back.wait()
        return await commit(batch)

    store.commit = wait  # type: ignore[method-assign]  # as the writer does
    asked = [await ana.send(signalling.SendSignal(data=str(number))) for number in range(3)]
    order = asyncio.create_task(house.sessions.signal(house.record.session_id, to=None, signal_type=None, data="late"))
    await settle()
    await house.pass_time(60)
    with pytest.raises(ConnectFailedError, match="store"):
        await order
    assert ana.socket.end is None
    assert ben.socket.end is None
    assert ben.of(signalling.Signal) == []
    back.set()
    await settle()
    assert [signal.data for signal in ben.of(signalling.Signal)] == ["0", "1", "2", "late"]
    assert all(ana.reply_to(request_id).error is None for request_id in asked)
    assert ana.of(signalling.ConnectionInterrupted) == []


async def test_a_server_that_ends_while_the_store_is_away_does_not_wait_for_it(
    house: House, store: MemoryStore
) -> None:
    ana = await house.join()

    async def wait(batch: WriteBatch) -> bool:
        return await asyncio.Event().wait()

    store.commit = wait  # type: ignore[method-assign]  # as the writer does
    await ana.send(signalling.SendSignal(data="x"))
    closing = asyncio.create_task(house.sessions.close())
    await settle()
    assert not closing.done()
    await house.pass_time(5)
    await closing
    assert ana.socket.end is SocketEnd.RESTART


async def test_nothing_is_said_before_it_is_stored(house: House, store: MemoryStore) -> None:
    ana, ben = await house.join(), await house.join()
    entered, leave = asyncio.Event(), asyncio.Event()
    commit = store.commit

    async def slow(batch: WriteBatch) -> bool:
        entered.set()
        await leave.wait()
        return await commit(batch)

    store.commit = slow  # type: ignore[method-assign]  # a slow disk
    await ana.send(signalling.SendSignal(data="x"))
    await entered.wait()
    assert ben.of(signalling.Signal) == []
    assert ana.of(signalling.Reply) == []
    leave.set()
    await settle()
    assert len(ben.of(signalling.Signal)) == 1
    store.commit = commit  # type: ignore[method-assign]


async def test_what_queues_while_the_store_writes_is_stored_together(house: House, store: MemoryStore) -> None:
    ana = await house.join()
    assert ana.attachment is not None
    before = len(store.batches)
    await asyncio.gather(*(ana.send(signalling.SendSignal(data=str(number))) for number in range(100)))
    await settle()
    assert len(ana.of(signalling.Signal)) == 100
    assert len(store.batches) - before < 50


async def test_a_store_that_fails_costs_a_resume_and_no_truth(house: House, store: MemoryStore) -> None:
    ana, ben = await house.join(), await house.join()
    store.failing = True
    request_id = await ana.send(signalling.SendSignal(data="lost?"))
    assert ana.socket.end is ben.socket.end is SocketEnd.RESTART
    assert ben.of(signalling.Signal) == []
    store.failing = False
    await ben.resume()
    await ana.resume()
    await ana.send(signalling.SendSignal(data="lost?"), request_id)
    assert ana.reply_to(request_id).error is None
    assert [signal.data for signal in ben.of(signalling.Signal)] == ["lost?"]


async def test_a_store_that_fails_fails_the_api(house: House, store: MemoryStore) -> None:
    await house.join()
    store.failing = True
    with pytest.raises(ConnectFailedError):
        await house.sessions.signal(house.record.session_id, to=None, signal_type=None, data=None)
    store.failing = False


async def test_a_store_that_fails_leaves_nobody_waiting_who_stood_in_the_same_queue(
    house: House, store: MemoryStore
) -> None:
    clients = [await house.join() for _ in range(4)]
    held = [(client, client.resume_key, client.last_number) for client in clients]
    for client in clients:
        await client.lose()
    store.failing = True
    signal = house.sessions.signal(house.record.session_id, to=None, signal_type=None, data=None)
    outcomes = await asyncio.wait_for(
        asyncio.gather(
            *(client.resume(key=key, after=after) for client, key, after in held), signal, return_exceptions=True
        ),
        10,
    )
    store.failing = False
    assert {type(outcome) for outcome in outcomes} == {ConnectFailedError}
    for client, key, after in held:
        await client.resume(key=key, after=after)


async def test_a_request_that_breaks_the_session_is_not_repeated_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = await house.join(), await house.join()
    with monkeypatch.context() as broken:
        broken.setattr("tertulia.domain.session.Session.handle", lambda *_: 1 / 0)
        request_id = await ana.send(signalling.SendSignal(data="boom"))
    assert ana.socket.end is ben.socket.end is SocketEnd.RESTART
    await ana.resume()
    await ben.resume()
    await ana.send(signalling.SendSignal(data="boom"), request_id)
    error = ana.reply_to(request_id).error
    assert error is not None
    assert (error.name, error.code) == ("OT_INTERNAL_ERROR", 2000)
    assert ben.of(signalling.Signal) == []
    assert (await ana.ask(signalling.SendSignal(data="fine"))).error is None


async def test_an_empty_session_leaves_memory_and_its_numbers_go_on(house: House) -> None:
    ana = await house.join()
    last = ana.last_number
    await ana.ask(signalling.Leave())
    await house.pass_time(60)
    assert house.sessions._live == {}
    ben = await house.join()
    (joined,) = ben.of(signalling.Joined)
    assert joined.number == last + 2, "the end of one, the beginning of the other"


async def test_closing_tells_clients_to_resume_and_keeps_their_seats(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await house.sessions.close()
    assert ana.socket.end is ben.socket.end is SocketEnd.RESTART
    with pytest.raises(ConnectFailedError):
        await house.join()
    successor = await house.killed()
    await ana.resume(house=successor)
    await ben.resume(house=successor)
    await successor.pass_time(200)
    assert ana.of(signalling.ConnectionInterrupted) == []
    await successor.sessions.close()


async def test_a_client_that_gives_up_while_it_joins_leaves_an_interrupted_seat(house: House) -> None:
    ben = await house.join()
    socket = FakeSocket()
    task = asyncio.create_task(house.sessions.join(JoinRequest(make_token(house.record)), socket))
    while not house.sessions._directory.sessions.keys() - {ben.id}:  # noqa: ASYNC110 - one turn at a time
        await asyncio.sleep(0)
    task.cancel()
    await settle()
    created = ben.of(signalling.ConnectionCreated)
    interrupted = ben.of(signalling.ConnectionInterrupted)
    assert len(created) == 1
    assert [each.connection.id for each in created] == [each.connection_id for each in interrupted]

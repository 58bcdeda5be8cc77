"""Media through the services: what the router is asked, and what happens when it or control restarts."""

from tertulia.domain.commands import Carried
from tertulia.domain.roles import Role
from tertulia.domain.subscription import VideoFallback
from tertulia.ids import Generation, SlotIndex, StreamId, TransportId
from tertulia.wire import router as link
from tertulia.wire import signalling
from tests.fakes.house import House, settle


def bindings(house: House) -> dict[tuple[str, int], int]:
    """The source's transport of everything bound, by seat and slot."""
    return {place: source.transport for place, source in house.router.state.bindings().items()}


async def test_a_stream_is_bound_for_who_subscribes(house: House) -> None:
    ana, ben = await house.join(), await house.join(Role.SUBSCRIBER)
    await ben.negotiate()
    stream = await ana.publish()
    subscription_id = await ben.subscribe(stream)
    (bound,) = ben.of(signalling.Bound)
    assert (bound.binding.subscription_id, bound.binding.slot, bound.binding.generation) == (subscription_id, 0, 1)
    assert bound.binding.audio_rtp_timestamp is not None
    positions = [type(message) for message in ben.socket.messages]
    assert positions.index(signalling.Bound) > positions.index(signalling.Reply), "after the reply to subscribe"
    assert len(bindings(house)) == 1


async def test_the_own_stream_is_answered_before_it_is_announced(house: House) -> None:
    ana = await house.join()
    stream = await ana.publish()
    kinds = [type(message) for message in ana.socket.messages]
    assert kinds.index(signalling.Reply) < kinds.index(signalling.StreamCreated)
    assert ana.of(signalling.StreamCreated) == [signalling.StreamCreated(stream)]


async def test_a_router_that_refuses_is_quoted(house: House) -> None:
    ana = await house.join()
    house.router.state.refuse_offers = True
    reply = await ana.negotiate()
    assert reply.error is not None
    assert (reply.error.name, reply.error.code) == ("OT_SET_REMOTE_DESCRIPTION_FAILED", 1013)
    assert reply.error.message == "The offer is malformed."


async def test_a_router_that_is_away_is_said_in_words_and_trying_again_helps(house: House) -> None:
    ana = await house.join()
    house.router.away = True
    reply = await ana.negotiate()
    assert reply.error is not None
    assert (reply.error.name, reply.error.code) == ("OT_CONNECT_FAILED", 1006)
    house.router.connect(house.sessions.router_reports)
    await settle()
    assert (await ana.negotiate()).error is None


async def test_unsubscribing_frees_the_pair_for_the_next(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ben.negotiate(pairs=1)
    first, second = await ana.publish(), await ana.publish()
    subscription_id = await ben.subscribe(first)
    await ben.subscribe(second)
    await ben.ask(signalling.Unsubscribe(subscription_id))
    assert ben.of(signalling.Unbound) == [signalling.Unbound(subscription_id, 0, 1)]
    assert bindings(house) == {}
    await ben.ask(signalling.ReleaseSlot(0, 1))
    assert [bound.binding.generation for bound in ben.of(signalling.Bound)] == [1, 2]


async def test_requests_of_one_connection_reach_the_router_in_order(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ben.negotiate()
    stream = await ana.publish()
    house.router.hold()
    subscription_id = await ben.subscribe(stream)
    await ben.ask(signalling.UpdateSubscription(subscription_id, True, False))
    await ben.ask(signalling.Unsubscribe(subscription_id))
    house.router.state.requests.clear()
    house.router.release()
    await settle()
    assert [type(request) for request in house.router.state.requests] == [link.Bind, link.Pause, link.Unbind]


async def test_the_end_of_a_connection_closes_its_transport_and_unbinds_its_streams(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ben.negotiate()
    await ben.subscribe(await ana.publish())
    await ana.ask(signalling.Leave())
    assert [transport.seat for transport in house.router.state.transports.values()] == [ben.id]
    assert bindings(house) == {}
    assert any(isinstance(request, link.Unbind) for request in house.router.state.requests)


async def test_news_of_a_video_left_out_reaches_the_subscriber(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ben.negotiate()
    subscription_id = await ben.subscribe(await ana.publish())
    (transport_id,) = (
        transport_id
        for transport_id, (_, connection_id) in house.sessions._directory.transports.items()
        if connection_id == ben.id
    )
    bound = ben.of(signalling.Bound)[0].binding
    for fallback in (VideoFallback.WARNED, VideoFallback.STOPPED):
        house.sessions.router_reports.video_fallback_changed(
            transport_id, SlotIndex(bound.slot), Generation(bound.generation), fallback
        )
        await settle()
    assert ben.of(signalling.SubscriptionVideoWarning) == [signalling.SubscriptionVideoWarning(subscription_id, True)]
    assert ben.of(signalling.SubscriptionVideo) == [signalling.SubscriptionVideo(subscription_id, False, "quality")]


async def test_codec_news_reaches_the_subscriber(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ben.negotiate()
    subscription_id = await ben.subscribe(await ana.publish())
    (transport_id, (live, _)) = next(
        item for item in house.sessions._directory.transports.items() if item[1][1] == ben.id
    )
    slot, generation = ben.of(signalling.Bound)[0].binding.slot, ben.of(signalling.Bound)[0].binding.generation
    pair = live.state._state.pairs[ben.id]
    known = next(each for each in pair.values() if each.slot == slot and each.generation == generation)
    for supported in (False, True):
        house.sessions.router_reports.codec_support_changed(
            transport_id, known.slot, known.generation, supported=supported
        )
        await settle()
    assert ben.of(signalling.SubscriptionVideo) == [
        signalling.SubscriptionVideo(subscription_id, False, "codecNotSupported"),
        signalling.SubscriptionVideo(subscription_id, True, "codecChanged"),
    ]


async def test_a_publisher_hears_which_layers_nobody_needs(house: House) -> None:
    ana = await house.join()
    stream = await ana.publish()
    ((transport_id, (live, _)),) = house.sessions._directory.transports.items()
    source = live.state._state.streams[StreamId(stream.id)].source
    assert source is not None
    video_mid = source.lines.video_mid
    assert video_mid is not None
    house.sessions.router_reports.layers_paused(transport_id, video_mid, ["f"])
    house.sessions.router_reports.layers_paused(TransportId(99), "1", ["h", "f"])
    await settle()
    assert ana.of(signalling.LayersPaused) == [signalling.LayersPaused(stream.id, ["f"])]


async def test_news_that_are_read_before_an_older_listing_hold(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ben.negotiate()
    stream = await ana.publish()
    subscription_id = await ben.subscribe(stream)
    directory = house.sessions._directory.transports
    owners = {owner: transport_id for transport_id, (_, owner) in directory.items()}
    source = directory[owners[ana.id]][0].state._state.streams[StreamId(stream.id)].source
    assert source is not None
    mid = source.lines.video_mid
    assert mid is not None
    # As the router had it when it was asked; what it reports afterwards is read before control compares.
    transports = house.router.state.transports
    transports[owners[ben.id]].audio_slots = [1]
    transports[owners[ana.id]].tracks = [link.Track(mid, "video", True, "vp8", ["f"])]

    reports = house.sessions.router_reports

    def report() -> None:
        reports.audio_slot_changed(owners[ben.id], SlotIndex(1), Carried(SlotIndex(0), Generation(1)), 960)
        house.sessions.router_reports.layers_paused(owners[ana.id], mid, [])

    house.router.listed = report
    house.sessions.router_reports.router_connected()
    await settle()
    assert ben.of(signalling.AudioSlot)[-1] == signalling.AudioSlot(1, 1, subscription_id, 960)
    assert ana.of(signalling.LayersPaused)[-1] == signalling.LayersPaused(stream.id, [])

    # Fewer speak than are all forwarded: control has turned the slot off.
    transports[owners[ben.id]].audio_slots = [1]
    house.router.listed = lambda: None
    house.sessions.router_reports.router_connected()
    await settle()
    assert ben.of(signalling.AudioSlot)[-1] == signalling.AudioSlot(1, 1), "what was heard before is over"
    assert ana.of(signalling.LayersPaused)[-1] == signalling.LayersPaused(stream.id, ["f"])


async def test_a_failed_transport_is_told_to_its_client(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ben.negotiate()
    await ben.subscribe(await ana.publish())
    (transport_id,) = [each for each, (_, owner) in house.sessions._directory.transports.items() if owner == ana.id]
    house.sessions.router_reports.transport_ended(ana.id, transport_id, "ICE failed.")
    await settle()
    assert ana.of(signalling.MediaFailed) == [signalling.MediaFailed(1, "ICE failed.")]
    assert len(ben.of(signalling.Unbound)) == 1
    assert ben.of(signalling.StreamDestroyed) == []


async def test_a_restarted_router_brings_media_back_without_any_event_for_the_application(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ben.negotiate()
    stream = await ana.publish()
    subscription_id = await ben.subscribe(stream)
    house.router.away = True
    house.router.restart()
    await settle()
    for client in (ana, ben):
        assert client.of(signalling.MediaFailed) == [signalling.MediaFailed(1, "The media router restarted.")]
    await ben.negotiate(epoch=2)
    reply = await ana.ask(signalling.Republish(2, "v=0", [], stream.id, "x", "y"))
    assert reply.error is None
    bound = ben.of(signalling.Bound)[-1].binding
    assert (bound.subscription_id, bound.slot, bound.generation) == (subscription_id, 0, 1)
    assert len(bindings(house)) == 1
    assert ben.of(signalling.StreamDestroyed) == []


async def test_a_link_that_comes_back_finds_everything_in_place(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ben.negotiate()
    await ben.subscribe(await ana.publish())
    before = bindings(house)
    house.router.away = True
    house.router.connect(house.sessions.router_reports)
    await settle()
    assert bindings(house) == before
    assert ana.of(signalling.MediaFailed) == []
    assert ben.of(signalling.Unbound) == []


async def test_what_could_not_be_said_while_the_link_was_down_is_said_afterwards(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ben.negotiate()
    subscription_id = await ben.subscribe(await ana.publish())
    house.router.away = True
    await ben.ask(signalling.Unsubscribe(subscription_id))
    assert len(bindings(house)) == 1
    house.router.connect(house.sessions.router_reports)
    await settle()
    assert bindings(house) == {}


async def test_a_transport_that_failed_while_nobody_listened_is_given_up(house: House) -> None:
    ana = await house.join()
    await ana.negotiate()
    house.router.failed = True
    house.router.connect(house.sessions.router_reports)
    await settle()
    assert ana.of(signalling.MediaFailed) == [signalling.MediaFailed(1, "The media transport ended.")]
    assert house.router.state.transports == {}


async def test_the_transports_of_a_session_are_one_group(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ana.negotiate()
    await ben.negotiate()
    groups = {transport.seat: transport.group for transport in house.router.state.transports.values()}
    assert len(groups) == 2
    assert set(groups.values()) == {house.record.session_id}


async def test_transports_without_a_seat_are_closed(house: House) -> None:
    await house.router.open_transport("nobody", 1, "v=0", [], "nowhere")
    house.router.connect(house.sessions.router_reports)
    await settle()
    assert house.router.state.transports == {}


# ---- control is killed


async def test_a_killed_control_finds_seats_streams_and_media_again(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ben.negotiate()
    stream = await ana.publish()
    subscription_id = await ben.subscribe(stream)
    before = bindings(house)
    successor = await house.killed()
    await ana.resume(house=successor)
    await ben.resume(house=successor)
    (resumed,) = ben.of(signalling.Resumed)
    assert resumed.epoch == 1
    assert [(each.subscription_id, each.slot, each.generation) for each in resumed.bindings] == [
        (subscription_id, 0, 1)
    ]
    assert bindings(successor) == before
    await successor.pass_time(200)
    for client in (ana, ben):
        kinds = {type(message) for message in client.socket.messages}
        assert kinds == {signalling.Resumed}, "nobody noticed"
    assert (await ana.ask(signalling.Unpublish(stream.id))).error is None
    assert bindings(successor) == {}
    await successor.sessions.close()


async def test_what_was_said_while_control_was_dying_is_neither_lost_nor_doubled(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ben.lose()
    request_id = await ana.send(signalling.SendSignal(data="before"))
    successor = await house.killed()
    await ana.resume(house=successor)
    await ana.send(signalling.SendSignal(data="before"), request_id)
    await ana.send(signalling.SendSignal(data="after"), request_id + 1)
    await ben.resume(house=successor)
    assert [signal.data for signal in ben.of(signalling.Signal)] == ["before", "after"]
    assert ana.reply_to(request_id).error is None
    await successor.sessions.close()


async def test_after_a_kill_who_does_not_come_back_is_interrupted_and_then_gone(house: House) -> None:
    ana, ben = await house.join(), await house.join()
    await ana.negotiate()
    successor = await house.killed()
    await ben.resume(house=successor)
    await successor.pass_time(successor.limits.adoption_grace_s + 0.1)
    assert ben.of(signalling.ConnectionInterrupted) == [signalling.ConnectionInterrupted(ana.id)]
    assert successor.router.state.transports, "the media goes on while the seat is held"
    await successor.pass_time(successor.limits.seat_held_s)
    assert ben.of(signalling.ConnectionDestroyed) == [signalling.ConnectionDestroyed(ana.id, "networkDisconnected")]
    assert successor.router.state.transports == {}
    await successor.sessions.close()


async def test_control_and_router_killed_together_keep_the_seats(house: House) -> None:
    ana = await house.join()
    stream = await ana.publish()
    house.router.state = type(house.router.state)()
    successor = await house.killed()
    await ana.resume(house=successor)
    (resumed,) = ana.of(signalling.Resumed)
    assert resumed.epoch == 0
    assert (await ana.ask(signalling.Republish(2, "v=0", [], stream.id, "x", "y"))).error is None
    await successor.sessions.close()


async def test_a_request_that_was_open_when_control_died_is_done_when_it_is_repeated(house: House) -> None:
    ana = await house.join()
    house.router.hold()
    message = signalling.Negotiate(1, "v=0", [])
    request_id = await ana.send(message)
    assert (await ana.ask(signalling.SendSignal())).error is None
    successor = await house.killed()
    house.router.release()
    await settle()
    await ana.resume(house=successor)
    await ana.send(message, request_id)
    assert ana.reply_to(request_id).error is None
    assert len(successor.router.state.transports) == 1
    await successor.sessions.close()

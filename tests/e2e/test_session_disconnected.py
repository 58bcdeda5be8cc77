"""The end of a connection, as pages of both eras and the others in the session see it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.person import Era, Person

Arrive = Callable[..., Person]
ERAS = pytest.mark.parametrize("era", [Era.V1, Era.V2], ids=["v1", "v2"])
PREVENTED = pytest.mark.parametrize("prevented", [False, True], ids=["default", "prevented"])
CAUSES = pytest.mark.parametrize(
    ("cause", "reason"), [("kick", "forceDisconnected"), ("leave", "clientDisconnected")], ids=["kicked", "leaving"]
)


@pytest.fixture
def call(arrive: Arrive) -> Callable[[Era], tuple[Person, Person, str, str]]:
    """A moderator and one other person in a call; gives both and both streams."""

    def call(era: Era) -> tuple[Person, Person, str, str]:
        moderator = arrive(role="moderator")
        moderators = moderator.publish()
        other = arrive(era)
        others = other.publish()
        moderator.watches(others)
        other.watches(moderators)
        return moderator, other, moderators, others

    return call


def end(cause: str, moderator: Person, other: Person) -> str:
    """Ends the other's connection and returns its id."""
    connection_id = other.connection_id
    if cause == "kick":
        moderator.page.evaluate("id => { person.session.forceDisconnect(id) }", connection_id)
    else:
        other.disconnect()
    return connection_id


@ERAS
@PREVENTED
@CAUSES
def test_the_end_of_a_connection(
    call: Callable[[Era], tuple[Person, Person, str, str]], era: Era, prevented: bool, cause: str, reason: str
) -> None:
    moderator, other, _, stream = call(era)
    if prevented:
        other.prevents("session.sessionDisconnected")
        if era is Era.V2:
            other.prevents("publisher.streamDestroyed")
    connection_id = end(cause, moderator, other)

    event = other.sees("sessionDisconnected", reason=reason)
    assert event["cancelable"] is True
    assert event["rightTarget"] is True
    assert event["preventedBefore"] is False
    assert event["state"] == {"connected": False, "elements": 2}

    # The others: first the stream, then the connection, with the same reason.
    moderator.sees("connectionDestroyed", connections=[connection_id], reason=reason)
    ends = [e for e in moderator.log() if e["source"] == "session" and e["type"].endswith("Destroyed")]
    assert [(e["type"], e["reason"]) for e in ends] == [("streamDestroyed", reason), ("connectionDestroyed", reason)]
    moderator.wait("() => document.querySelectorAll('.OT_subscriber').length === 0")

    if prevented:
        other.wait("() => document.querySelectorAll('.OT_publisher').length === 1")
        assert other.elements(".OT_subscriber") == 1
    else:
        other.wait("() => document.querySelectorAll('.OT_root').length === 0")
    assert other.count("session", "sessionDisconnected") == 1
    if era is Era.V2:
        own = [e for e in other.log() if e["source"] == "publisher" and e["type"] == "streamDestroyed"]
        assert [(e["streams"], e["reason"]) for e in own] == [([stream], reason)]


@ERAS
@PREVENTED
def test_closing_the_page_is_a_goodbye(
    call: Callable[[Era], tuple[Person, Person, str, str]], era: Era, prevented: bool
) -> None:
    moderator, other, _, stream = call(era)
    if prevented:
        other.prevents("session.sessionDisconnected")
        moderator.prevents("session.streamDestroyed")
    connection_id = other.connection_id
    other.page.close(run_before_unload=True)
    moderator.sees("connectionDestroyed", connections=[connection_id], reason="clientDisconnected")
    moderator.sees("streamDestroyed", streams=[stream], reason="clientDisconnected")
    if prevented:
        assert moderator.elements(".OT_subscriber") == 1
    else:
        moderator.wait("() => document.querySelectorAll('.OT_subscriber').length === 0")


def test_a_page_may_tidy_up_by_itself_and_publish_the_same_publisher_again(
    call: Callable[[Era], tuple[Person, Person, str, str]],
) -> None:
    moderator, other, _, _ = call(Era.V2)
    other.prevents("session.sessionDisconnected")
    other.prevents("publisher.streamDestroyed")
    end("kick", moderator, other)
    other.sees("streamDestroyed", source="publisher", reason="forceDisconnected")
    other.page.evaluate(
        "() => document.querySelectorAll('.OT_subscriber').forEach(root => root.parentNode.removeChild(root))"
    )
    assert other.elements(".OT_subscriber") == 0
    before = other.page.evaluate("() => person.framesShown('me')")
    other.wait("before => person.framesShown('me') > before + 3", before)

    other.connect()
    other.sees("sessionConnected", times=2)
    other.page.evaluate("() => { person.publishAgain() }")
    stream = other.published(2)
    moderator.watches(stream)
    assert other.page.evaluate("() => person.errors") == []


def test_preventing_after_the_handler_has_returned_changes_nothing(
    call: Callable[[Era], tuple[Person, Person, str, str]],
) -> None:
    moderator, other, _, _ = call(Era.V1)
    other.page.evaluate(
        "() => { person.session.addEventListener('sessionDisconnected', event =>"
        " setTimeout(() => { event.preventDefault(); person.log.push({ source: 'late', type: 'prevented' }) }, 50)) }"
    )
    end("kick", moderator, other)
    other.sees("prevented", source="late")
    assert other.elements(".OT_root") == 0


@ERAS
def test_a_throwing_handler_stops_neither_the_others_nor_the_default(
    call: Callable[[Era], tuple[Person, Person, str, str]], era: Era
) -> None:
    moderator, other, _, _ = call(era)
    other.page.evaluate(
        """() => {
            person.session.addEventListener('sessionDisconnected', () => { throw new Error('a broken handler') });
            const after = () => person.log.push({ source: 'after', type: 'ran' });
            person.session.addEventListener('sessionDisconnected', after);
        }"""
    )
    end("leave", moderator, other)
    other.sees("ran", source="after")
    other.wait("() => document.querySelectorAll('.OT_root').length === 0")
    assert any("a broken handler" in text for text in other.page.evaluate("() => person.errors"))


@ERAS
def test_a_kicked_client_connects_again_on_the_same_session_object(
    call: Callable[[Era], tuple[Person, Person, str, str]], era: Era
) -> None:
    moderator, other, moderators, _ = call(era)
    first = end("kick", moderator, other)
    other.sees("sessionDisconnected", reason="forceDisconnected")
    other.connect()
    other.sees("sessionConnected", times=2)
    assert other.connection_id != first
    other.watches(moderators)
    stream = other.publish()
    moderator.watches(stream)


def test_disconnecting_twice_and_while_being_kicked_ends_once(
    call: Callable[[Era], tuple[Person, Person, str, str]],
) -> None:
    moderator, other, _, _ = call(Era.V2)
    moderator.page.evaluate("id => { person.session.forceDisconnect(id) }", other.connection_id)
    other.page.evaluate("() => { person.session.disconnect(); person.session.disconnect(); }")
    other.sees("sessionDisconnected")
    other.connect()
    other.sees("sessionConnected", times=2)
    assert other.count("session", "sessionDisconnected") == 1


def test_force_unpublish_ends_the_stream_and_not_the_connection(
    call: Callable[[Era], tuple[Person, Person, str, str]],
) -> None:
    moderator, other, _, stream = call(Era.V2)
    moderator.page.evaluate("id => { person.session.forceUnpublish(id) }", stream)
    other.sees("streamDestroyed", source="publisher", reason="forceUnpublished")
    moderator.sees("streamDestroyed", streams=[stream], reason="forceUnpublished")
    again = other.publish()
    moderator.watches(again)
    assert other.count("session", "sessionDisconnected") == 0


@ERAS
def test_empty_credentials_are_named(arrive: Arrive, era: Era) -> None:
    person = arrive(era, connect=False)
    words = person.page.evaluate(
        """async era => {
            const said = [];
            const attempt = (what) => { try { what() } catch (error) { said.push(error.message) } };
            if (era === 'v1') {
                attempt(() => TB.initSession(''));
                attempt(() => person.session.connect('', 'token'));
                attempt(() => person.session.connect('12345678', ''));
                return said;
            }
            const connect = (session, token) => new Promise((done) => {
                try { session.connect(token, (error) => done(error ? error.message : 'connected')) }
                catch (error) { done(error.message) }
            });
            const make = (...ids) => {
                try { return OT.initSession(...ids) }
                catch (error) { return { connect: (_, done) => done(error) } }
            };
            said.push(await connect(make('12345678', ''), 'token'));
            said.push(await connect(make('', person.session.sessionId), 'token'));
            said.push(await connect(person.session, ''));
            return said;
        }""",
        era.semantics,
    )
    assert len(words) == 3
    session_id, api_key, token = (text.lower() for text in words)
    assert "session" in session_id
    assert "key" in api_key
    assert "token" in token


@pytest.mark.parametrize("era", [Era.V1, Era.V2], ids=["v1", "v2"])
def test_a_forged_token_is_refused_with_the_documented_error(arrive: Arrive, era: Era) -> None:
    person = arrive(era, connect=False)
    person.page.evaluate("() => { person.token = 'T1==' + btoa('partner_id=1&sig=00:session_id=x') }")
    person.connect()
    person.sees("exception", source="exception", code=1004)
    assert person.count("session", "sessionDisconnected") == 0
    if era is Era.V2:
        assert person.sees("connect", source="handler")["error"]["name"] == "OT_AUTHENTICATION_ERROR"

"""A person in a session: one page in one browser, driven in the words of the application."""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.servers import Api

DEADLINE_MS = 15_000


class Era(enum.Enum):
    """A script address, and the semantics it stands for."""

    V091 = ("/v0.91/js/TB.min.js", "v1")
    V1 = ("/v1.1/js/TB.min.js", "v1")
    V2_0 = ("/webrtc/v2.0/js/TB.min.js", "v1")
    V2_2 = ("/webrtc/v2.2/js/TB.min.js", "v2")
    V2 = ("/v2/js/opentok.min.js", "v2")

    def __init__(self, script: str, semantics: str) -> None:
        self.script = script
        self.semantics = semantics


class Person:
    """Drives `page` (Playwright's, or a Firefox), which has loaded the harness for `era`."""

    def __init__(self, page: Any, era: Era) -> None:
        self.page = page
        self.era = era

    def prepare(
        self,
        server: Api,
        session_id: str,
        *,
        role: str,
        data: str,
        subscribe_to_all: bool,
        secret: str | None = None,
    ) -> None:
        self.page.evaluate(
            "options => person.prepare(options)",
            {
                "apiKey": server.api_key,
                "sessionId": session_id,
                "token": server.token(session_id, role, data, old_format=self.era.semantics == "v1"),
                "subscribeToAll": subscribe_to_all,
                "secret": secret,
            },
        )

    def connect(self) -> None:
        self.page.evaluate("() => { person.connect() }")

    def disconnect(self) -> None:
        self.page.evaluate("() => { person.session.disconnect() }")

    def publish(self, **options: object) -> str:
        """Publishes the fake camera and microphone; returns the stream's id once it is registered."""
        before = self.count("handler" if self.era.semantics == "v2" else "session", self._publish_sign)
        self.page.evaluate("options => { person.publish(options) }", options)
        return self.published(before + 1)

    def publish_colour(self, colour: str) -> str:
        """Publishes a picture of one colour."""
        self.page.evaluate(
            "colour => person.publish({ videoSource: person.colourTrack(colour), audioSource: null, name: colour })",
            colour,
        )
        return self.published(1)

    @property
    def _publish_sign(self) -> str:
        return "publish" if self.era.semantics == "v2" else "streamCreated"

    def published(self, times: int) -> str:
        """Waits until publishing has succeeded `times` times and returns the stream's id."""
        if self.era.semantics == "v2":
            self.wait("times => person.log.filter(e => e.type === 'publish').length >= times", times)
            failures = [e for e in self.log() if e["type"] == "publish" and e.get("error")]
            assert not failures, self.log()
            stream_id: str = self.page.evaluate("() => person.publisher.stream.streamId")
            return stream_id
        self.wait(
            "() => person.session.connection && person.log.some(e => e.source === 'session'"
            " && e.type === 'streamCreated'"
            " && e.streams.some(id => person.session.getPublisherForStream(id)))"
        )
        own: str = self.page.evaluate(
            "() => person.log.filter(e => e.type === 'streamCreated').flatMap(e => e.streams)"
            ".filter(id => person.session.getPublisherForStream(id)).pop()"
        )
        return own

    def wait(self, condition: str, argument: object = None, *, deadline_s: float = DEADLINE_MS / 1000) -> None:
        """Waits until the page's `condition` (a function's text, which may be asynchronous) holds."""
        # Playwright's own wait_for_function takes the promise of an asynchronous condition for its success.
        held = self.page.evaluate(
            f"""async argument => {{
                const end = performance.now() + {deadline_s * 1000};
                while (!(await ({condition})(argument))) {{
                    if (performance.now() > end) return false;
                    await new Promise((resume) => setTimeout(resume, 30));
                }}
                return true;
            }}""",
            argument,
        )
        if not held:
            raise AssertionError(
                f"{condition} ({argument!r}) never held; the page saw:\n"
                + "\n".join(json.dumps(entry) for entry in self.log())
                + f"\nerrors: {self.page.evaluate('() => person.errors.slice(0, 20)')}"
            )

    def sees(self, type: str, *, source: str = "session", times: int = 1, **fields: object) -> dict[str, Any]:
        """Waits for the application to have seen such an event `times` times; returns the last of them."""
        wanted = {"type": type, "source": source, **fields}
        self.wait(
            "([wanted, times]) => person.log.filter(e => Object.entries(wanted).every("
            "([key, value]) => JSON.stringify(e[key]) === JSON.stringify(value))).length >= times",
            [wanted, times],
        )
        matching = [e for e in self.log() if all(e.get(key) == value for key, value in wanted.items())]
        entry: dict[str, Any] = matching[-1]
        return entry

    def log(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.page.evaluate("() => person.log")
        return entries

    def count(self, source: str, type: str) -> int:
        return sum(entry["source"] == source and entry["type"] == type for entry in self.log())

    def prevents(self, source_and_type: str) -> None:
        """The application's handler of that event will call preventDefault()."""
        self.page.evaluate("name => { person.prevent.add(name) }", source_and_type)

    def watches(self, stream_id: str) -> None:
        """Waits until moving pictures of that stream are on the screen."""
        self.wait("id => person.subscriberFrames(id) >= 5", stream_id)

    def hears(self, stream_id: str) -> None:
        """Waits until sound of that stream is played."""
        self.wait("async id => await person.loudness(id) > 0.02", stream_id)

    def hears_nothing_of(self, stream_id: str) -> None:
        """Waits until that stream has been silent for longer than the fake microphone ever is."""
        self.wait("id => person.silent(id)", stream_id)

    @property
    def connection_id(self) -> str:
        connection_id: str = self.page.evaluate("() => person.session.connection.connectionId")
        return connection_id

    def elements(self, selector: str) -> int:
        count: int = self.page.evaluate("selector => document.querySelectorAll(selector).length", selector)
        return count

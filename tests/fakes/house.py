"""All services on fakes, with clients that speak to them as the signalling adapter does."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from tertulia.adapters.websocket.codec import SignallingCodec
from tertulia.adapters.websocket.requests import RequestMessage, command_of
from tertulia.clock import WallTime
from tertulia.domain.connection import Origin
from tertulia.domain.limits import SessionLimits
from tertulia.domain.project import Project
from tertulia.domain.roles import Role
from tertulia.errors import AuthenticationError
from tertulia.ids import ApiKey, ConnectionId, SessionId
from tertulia.services.hooks import HookRunner, Hooks
from tertulia.services.ports import SessionRecord, Store
from tertulia.services.projects import Projects
from tertulia.services.sessions import Attachment, JoinRequest, ResumeRequest, Sessions, SessionSettings
from tertulia.wire import signalling
from tertulia.wire.webhooks import outbox_entry
from tests.fakes.clock import FakeClock
from tests.fakes.ids import CountingIds
from tests.fakes.router import FakeRouter
from tests.fakes.socket import FakeSocket
from tests.fakes.store import MemoryStore

OFFER = "v=0\r\n"
M = TypeVar("M", bound=signalling.ServerMessage)


@dataclass(frozen=True)
class FakeClaims:
    api_key: ApiKey
    session_id: SessionId
    role: Role
    connection_data: str
    expires_at_s: int
    layout_classes: tuple[str, ...] = ()
    digest: str = ""


def make_token(record: SessionRecord, role: Role = Role.PUBLISHER, data: str = "") -> str:
    """A token that `verify_token` understands."""
    return "/".join((record.api_key, record.session_id, role.value, data))


def verify_token(token: str, projects: Callable[[str], Project | None], now: WallTime) -> FakeClaims:
    """Stands for the real verification: knows the projects, believes the rest."""
    parts = token.split("/")
    if len(parts) != 4:
        raise AuthenticationError("The token is malformed.")
    if projects(parts[0]) is None:
        raise AuthenticationError("The token names no project of this server.")
    return FakeClaims(ApiKey(parts[0]), SessionId(parts[1]), Role(parts[2]), parts[3], now // 1000 + 3600, digest=token)


async def settle() -> None:
    """Let everything that is ready to run do so, and what follows from it."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]  # no public way to see that nothing is left
    idle = 0
    for _ in range(60):
        await asyncio.sleep(0)
        # The loop looks at its sockets once in each turn: what they bring is ready in the next.
        idle = 0 if ready else idle + 1
        if idle == 3:
            return


class Client:
    """One client. Its requests go straight to the services; what it is sent it keeps, over all its sockets."""

    def __init__(self, house: "House", role: Role, *, suppressed: bool = False) -> None:
        self.house = house
        self.role = role
        self.suppressed = suppressed
        self.socket = FakeSocket()
        self.attachment: Attachment | None = None
        self.requests = 0

    async def join(self) -> "Client":
        request = JoinRequest(make_token(self.house.record, self.role), connection_events_suppressed=self.suppressed)
        self.attachment = await self.house.sessions.join(request, self.socket)
        await settle()
        return self

    @property
    def id(self) -> ConnectionId:
        assert self.attachment is not None
        return self.attachment.connection_id

    @property
    def resume_key(self) -> str:
        """The newest key."""
        messages = self.socket.messages
        return next(m.resume_key for m in reversed(messages) if isinstance(m, signalling.Joined | signalling.Resumed))

    @property
    def last_number(self) -> int:
        """The number of the last event it has handled."""
        joined = [m.number for m in self.socket.messages if isinstance(m, signalling.Joined)]
        return max([*self.socket.numbers, *joined], default=0)

    async def send(self, message: RequestMessage, request_id: int | None = None) -> int:
        """Send a request; return its number."""
        if request_id is None:
            self.requests += 1
            request_id = self.requests
        assert self.attachment is not None
        origin = Origin(self.id, request_id)
        command = command_of(message, origin, self.house.ids, self.house.clock.wall())
        await self.attachment.request(command)
        await settle()
        return request_id

    async def ask(self, message: RequestMessage) -> signalling.Reply:
        """Send a request and return its reply."""
        return self.reply_to(await self.send(message))

    def reply_to(self, request_id: int) -> signalling.Reply:
        (reply,) = [reply for reply in self.of(signalling.Reply) if reply.id == request_id]
        return reply

    async def negotiate(self, pairs: int = 2, epoch: int = 1, first: int = 0) -> signalling.Reply:
        slots = [signalling.SlotPair(slot, f"a{slot}", f"v{slot}") for slot in range(first, first + pairs)]
        return await self.ask(signalling.Negotiate(epoch, OFFER, slots))

    async def publish(self, epoch: int = 1) -> signalling.Stream:
        message = signalling.Publish(
            epoch=epoch,
            offer=OFFER,
            slots=[],
            name="",
            has_audio=True,
            has_video=True,
            video_dimensions=signalling.Dimensions(640, 480),
            audio_mid=f"pa{self.requests}",
            video_mid=f"pv{self.requests}",
            video_type="camera",
        )
        reply = await self.ask(message)
        assert reply.error is None, reply.error
        return msgspec.json.decode(reply.result, type=signalling.Published).stream

    async def subscribe(self, stream: signalling.Stream) -> int:
        reply = await self.ask(signalling.Subscribe(stream.id, True, True))
        assert reply.error is None, reply.error
        return msgspec.json.decode(reply.result, type=signalling.Subscribed).subscription_id

    async def lose(self) -> None:
        """The network goes away."""
        assert self.attachment is not None
        self.attachment.lost()
        await settle()

    async def resume(self, *, key: str | None = None, after: int | None = None, house: "House | None" = None) -> None:
        """Take the seat again on a new socket, of a restarted control if `house` is given."""
        request = ResumeRequest(self.id, key or self.resume_key, self.last_number if after is None else after)
        self.house = house or self.house
        self.socket = FakeSocket()
        self.attachment = await self.house.sessions.resume(request, self.socket)
        await settle()

    def of(self, kind: type[M]) -> list[M]:
        """What it was sent of one kind on its present socket."""
        return [message for message in self.socket.messages if isinstance(message, kind)]


class House:
    """A control process. Make it with `open`; `killed` is what another finds that starts on the same store."""

    def __init__(
        self,
        store: Store,
        router: FakeRouter,
        clock: FakeClock,
        ids: CountingIds,
        hooks: Hooks | None = None,
        *,
        seats: int = 50,
    ) -> None:
        self.hook_runner = HookRunner(hooks or Hooks(), clock)
        self.reported = 0
        self.store = store
        self.router = router
        self.clock = clock
        self.ids = ids
        self.projects = Projects(store, ids, clock)
        self.limits = SessionLimits(connections=seats, streams=50, reconnect_window_s=3.0)
        self.sessions = Sessions(
            store=store,
            router=router,
            codec=SignallingCodec(),
            clock=clock,
            ids=ids,
            projects=self.projects,
            verify_token=verify_token,
            settings=SessionSettings(limits=self.limits, heartbeat_s=10.0),
            hooks=self.hook_runner if hooks is not None else None,
            report=outbox_entry,
            reported=self._note_reports,
        )
        self._record: SessionRecord | None = None

    def _note_reports(self) -> None:
        self.reported += 1

    @classmethod
    async def open(cls, store: Store | None = None, hooks: Hooks | None = None, *, seats: int = 50) -> "House":
        """Start control with one project and one session; the router is connected."""
        house = cls(store or MemoryStore(), FakeRouter(), FakeClock(), CountingIds(), hooks, seats=seats)
        await house.start()
        project = await house.projects.create("test")
        house._record = await house.sessions.records.create(
            project.api_key, media_mode="routed", archive_mode="manual", location=None, e2ee=False
        )
        return house

    async def close_hooks(self) -> None:
        await self.hook_runner.close()

    async def start(self) -> None:
        self.hook_runner.start()
        await self.sessions.start()
        self.router.connect(self.sessions.router_reports)
        await settle()

    async def killed(self) -> "House":
        """Kill this control without goodbye and start another on the same store and router."""
        self.sessions._closing = True  # a socket that is being cut must not load the session once more
        await self.sessions._tasks.close()
        successor = House(self.store, self.router, self.clock, self.ids)
        successor._record = self._record
        await successor.start()
        return successor

    @property
    def record(self) -> SessionRecord:
        assert self._record is not None
        return self._record

    async def join(self, role: Role = Role.PUBLISHER, *, suppressed: bool = False) -> Client:
        return await Client(self, role, suppressed=suppressed).join()

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, in steps that let timers do their work."""
        end = self.clock.monotonic() + seconds
        while (when := self.clock.next_timer()) is not None and when <= end:
            self.clock.advance(max(0.0, when - self.clock.monotonic()))
            await settle()
        self.clock.advance(max(0.0, end - self.clock.monotonic()))
        await settle()

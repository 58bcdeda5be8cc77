"""Sending one callback, to real servers on loopback that behave as receivers may."""

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import OctKey

from tertulia.adapters.webhooks import HttpSender
from tertulia.adapters.webhooks.sender import ANSWER_BYTES
from tertulia.clock import WallTime
from tertulia.domain.addresses import AddressRules
from tertulia.domain.callbacks import Delivery, DeliveryStatus, Outcome
from tertulia.ids import ApiKey, SessionId

NOW = WallTime(1_767_225_600_000)
SECRET = "5" * 40
LOOPBACK = AddressRules((ip_network("127.0.0.0/8"),))
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def delivery(url: str, body: str = '{"event":"streamCreated","name":"ü"}') -> Delivery:
    return Delivery(
        *(1, "event-1", "callback", ApiKey("40012345"), SessionId("2_a"), url, "streamCreated", body),
        *(DeliveryStatus.PENDING, NOW, NOW),
    )


class Receiver:
    """An HTTP server that notes each request and behaves as told."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.port = 0
        self.tasks: set[asyncio.Task[object]] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.requests.append((head[0], headers, body))
            await self._behaviour(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def answering(text: str) -> Behaviour:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text.encode())
        await writer.drain()

    return answer


OK = answering("HTTP/1.1 204 No Content\r\n\r\n")


@asynccontextmanager
async def receiver(behaviour: Behaviour = OK, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    made = Receiver(behaviour)
    server = await asyncio.start_server(made.handle, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        if made.tasks:
            _, pending = await asyncio.wait(made.tasks, timeout=30)
            assert not pending


@cache
def trusting_the_public() -> ssl.SSLContext:
    """What a sender makes for itself, once for all tests: reading the authorities takes longer than most of them."""
    return ssl.create_default_context()


async def attempt(
    url: str, *, attempt_s: float = 30, addresses: Sequence[str] = ("127.0.0.1",), **more: object
) -> Outcome:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    rules = more.pop("rules", LOOPBACK)
    assert isinstance(rules, AddressRules)
    more = {"tls": trusting_the_public(), **more}
    sender = HttpSender(rules, attempt_s, resolve=resolve, **more)  # type: ignore[arg-type]  # of a test's own
    try:
        return await sender.send(delivery(url), SECRET, NOW)
    finally:
        await sender.close()


async def test_a_callback_is_a_signed_post_of_json() -> None:
    async with receiver() as there:
        outcome = await attempt(f"http://receiver.example.org:{there.port}/events?a=b%20c")
    assert outcome == Outcome(204)
    ((line, headers, body),) = there.requests
    assert line == "POST /events?a=b%20c HTTP/1.1"
    assert headers["host"] == f"receiver.example.org:{there.port}"
    assert headers["content-type"] == "application/json"
    assert headers["tertulia-event-id"] == "event-1"
    assert json.loads(body) == {"event": "streamCreated", "name": "ü"}
    token = jwt.decode(headers["authorization"].removeprefix("Bearer "), OctKey.import_key(SECRET))
    assert token.claims["payload_hash"] == hashlib.sha256(body).hexdigest()
    assert (token.claims["jti"], token.claims["iat"]) == ("event-1", NOW // 1000)


@pytest.mark.parametrize("status", [200, 301, 307, 404, 429, 500])
async def test_the_answer_is_the_outcome_and_redirects_are_not_followed(status: int) -> None:
    async with receiver() as target:
        text = f"HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:{target.port}/\r\nContent-Length: 2\r\n\r\n{{}}"
        async with receiver(answering(text)) as there:
            assert await attempt(f"http://receiver.example.org:{there.port}/") == Outcome(status)
    assert target.requests == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::ffff:127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["8.8.8.8", "127.0.0.1"], ["fe80::1%lo"]],
)
async def test_a_name_that_leads_inside_is_not_connected_to(addresses: list[str]) -> None:
    async with receiver() as there:
        url = f"http://receiver.example.org:{there.port}/"
        outcome = await attempt(url, addresses=addresses, rules=AddressRules())
    assert outcome == Outcome(error="the address is not allowed")
    assert there.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "[::ffff:127.0.0.1]"])
async def test_no_spelling_of_this_machine_gets_through(host: str) -> None:
    async with receiver() as there:
        sender = HttpSender(AddressRules(), 30, tls=trusting_the_public())
        outcome = await sender.send(delivery(f"http://{host}:{there.port}/"), SECRET, NOW)
        await sender.close()
    assert outcome.status is None
    assert outcome.error in ("the address is not allowed", "the name cannot be resolved")
    assert there.requests == []


async def test_the_name_is_resolved_once_and_that_address_is_the_one_connected_to() -> None:
    """A name that answers differently the second time gains nothing (DNS rebinding)."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.66.6.6"]

    async with receiver() as there:
        sender = HttpSender(LOOPBACK, 30, resolve=resolve, tls=trusting_the_public())
        outcome = await sender.send(delivery(f"http://localhost:{there.port}/"), SECRET, NOW)
        await sender.close()
    assert outcome == Outcome(204)
    assert asked == ["localhost"]


async def test_the_next_address_is_tried_when_one_takes_no_connection() -> None:
    async with receiver() as there:
        url = f"http://receiver.example.org:{there.port}/"
        assert await attempt(url, addresses=["127.0.0.2", "127.0.0.1"]) == Outcome(204)


async def test_a_receiver_that_never_answers_costs_one_deadline() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with receiver(hang) as there:
        url = f"http://receiver.example.org:{there.port}/"
        assert await attempt(url, attempt_s=0.2) == Outcome(error="no answer in time")


async def test_a_receiver_that_drips_its_answer_costs_one_deadline() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"X-Drip: drop\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with receiver(drip) as there:
        url = f"http://receiver.example.org:{there.port}/"
        outcome = await attempt(url, attempt_s=0.5)
    assert outcome.status is None


async def test_of_an_endless_answer_little_is_read() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * ANSWER_BYTES)
            await writer.drain()
            sent += ANSWER_BYTES

    async with receiver(flood) as there:
        assert await attempt(f"http://receiver.example.org:{there.port}/") == Outcome(200)
    assert sent < 100 * 1024 * 1024, "what fits into buffers on the way, not what it would send"


@pytest.mark.parametrize("text", ["", "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\nX: " + "y" * 300_000])
async def test_what_speaks_no_http_is_a_failure(text: str) -> None:
    async with receiver(answering(text)) as there:
        outcome = await attempt(f"http://receiver.example.org:{there.port}/")
    assert outcome == Outcome(error="the answer was not HTTP")


async def test_nobody_there_and_no_such_name() -> None:
    async def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError("no such host")

    async with receiver() as there:
        port = there.port
    assert await attempt(f"http://receiver.example.org:{port}/") == Outcome(error="the connection was refused")
    sender = HttpSender(LOOPBACK, 30, resolve=unknown, tls=trusting_the_public())
    assert await sender.send(delivery("http://x.example/"), SECRET, NOW) == Outcome(error="the name cannot be resolved")
    await sender.close()


# ---- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and key for receiver.example.org, in one file, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver.example.org")])
    made = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(made)
        .not_valid_after(made + timedelta(days=20_000))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("receiver.example.org")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "receiver.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(certificate.public_bytes(pem) + private)
    return file


async def test_tls_is_verified_for_the_registered_name_though_an_address_is_connected_to(certificate: Path) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    async with receiver(tls=serving) as there:
        assert await attempt(f"https://receiver.example.org:{there.port}/", tls=trusting) == Outcome(204)
        invalid = Outcome(error="the receiver's certificate is not valid")
        assert await attempt(f"https://other.example.org:{there.port}/", tls=trusting) == invalid
        assert await attempt(f"https://receiver.example.org:{there.port}/") == invalid
    assert len(there.requests) == 1

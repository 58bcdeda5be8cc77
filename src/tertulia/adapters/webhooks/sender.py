"""`HttpSender`: one signed POST to an address that was resolved once, checked, and is the one connected to."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence

import httpx

from tertulia.clock import WallTime
from tertulia.domain.addresses import AddressRules
from tertulia.domain.callbacks import Delivery, Outcome
from tertulia.wire.webhooks import EVENT_ID_HEADER, signature

__all__ = ["ANSWER_BYTES", "HttpSender", "resolve_name"]

ANSWER_BYTES = 16_384
"""How much of an answer's body is read; nothing of it is used. Our own choice."""
_ADDRESSES = 3
"""How many of a name's addresses are tried."""
_CONNECT_S = 3.0
_PORTS = {"http": 80, "https": 443}

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]


class HttpSender:
    """Fulfils the port `CallbackSender`.

    No proxy, no redirect, no cookie, no connection that is kept: each attempt reaches exactly the address that was
    checked, and TLS is verified for the name that was registered.

    Args:
        rules: Where callbacks may go.
        attempt_s: The deadline of an attempt, from resolving the name to the end of the answer.
        tls: What certificates are verified with; the system's authorities unless given.
        resolve: Gives the addresses of a name.
    """

    def __init__(
        self,
        rules: AddressRules,
        attempt_s: float,
        tls: ssl.SSLContext | None = None,
        resolve: Resolver | None = None,
    ) -> None:
        self._rules = rules
        self._attempt_s = attempt_s
        self._resolve = resolve or resolve_name
        self._transport = httpx.AsyncHTTPTransport(
            verify=tls or ssl.create_default_context(),
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Let go of what is left of connections."""
        await self._transport.aclose()

    async def send(self, delivery: Delivery, secret: str, now: WallTime) -> Outcome:
        """Make one attempt; whatever goes wrong is an outcome."""
        try:
            async with asyncio.timeout(self._attempt_s):
                return await self._attempt(delivery, secret, now)
        except TimeoutError:
            return Outcome(error="no answer in time")
        except httpx.TimeoutException:
            return Outcome(error="no answer in time")
        except (httpx.TransportError, httpx.InvalidURL, OSError, ValueError) as error:
            return Outcome(error=_words(error))

    async def _attempt(self, delivery: Delivery, secret: str, now: WallTime) -> Outcome:
        url = httpx.URL(delivery.url)
        try:
            found = await self._resolve(url.host, url.port or _PORTS[url.scheme])
        except OSError:
            return Outcome(error="the name cannot be resolved")
        addresses = list(dict.fromkeys(found))[:_ADDRESSES]
        if not addresses:
            return Outcome(error="the name has no address")
        # One that is forbidden is enough: a name that also leads inside is not one to trust.
        if not all(self._rules.may_reach(address) for address in addresses):
            return Outcome(error="the address is not allowed")
        for address in addresses[:-1]:
            try:
                return await self._post(delivery, url, address, secret, now)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._post(delivery, url, addresses[-1], secret, now)

    async def _post(self, delivery: Delivery, url: httpx.URL, address: str, secret: str, now: WallTime) -> Outcome:
        body = delivery.body.encode()
        token = signature(body, secret=secret, event_id=delivery.event_id, api_key=delivery.api_key, now_s=now // 1000)
        timeout = dict.fromkeys(("read", "write", "pool"), self._attempt_s)
        request = httpx.Request(
            "POST",
            url.copy_with(host=address),
            headers={
                "Host": url.netloc.decode("ascii"),
                "Content-Type": "application/json",
                "Authorization": f"Bearer {token}",
                EVENT_ID_HEADER: delivery.event_id,
                "User-Agent": "Tertulia",
                "Accept": "*/*",
                "Connection": "close",
            },
            content=body,
            extensions={"sni_hostname": url.host, "timeout": {**timeout, "connect": _CONNECT_S}},
        )
        response = await self._transport.handle_async_request(request)
        try:
            await _read_some(response)
        finally:
            await response.aclose()
        return Outcome(status=response.status_code)


async def _read_some(response: httpx.Response) -> None:
    """Take in a short answer whole, so that its sender is not surprised; the status is known already."""
    size = 0
    try:
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > ANSWER_BYTES:
                return
    except httpx.TransportError:
        return


async def resolve_name(host: str, port: int) -> Sequence[str]:
    """Return the IP addresses of a host, in the system's order."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _words(error: Exception) -> str:
    """Say what went wrong without repeating addresses or what the receiver said."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "the receiver's certificate is not valid" if _is_certificate(cause) else "TLS failed"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ConnectError):
        return "the connection was refused"
    if isinstance(error, httpx.RemoteProtocolError):
        return "the answer was not HTTP"
    return "the connection broke"


def _is_certificate(error: ssl.SSLError) -> bool:
    return isinstance(error, ssl.SSLCertVerificationError)

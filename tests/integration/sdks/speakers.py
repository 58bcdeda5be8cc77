"""The SDKs as the server sees them: their headers, their tokens, and what their readers take for success."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.integration.sdks.exchange import Answer, exchange
from tests.servers import TertuliaServer

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def jwt(secret: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
    signed = f"{encoded(header)}.{encoded(claims)}"
    signature = hmac.digest(secret.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def t1(key: str, secret: str, data: str, *, url_safe: bool = False) -> str:
    signature = hmac.new(secret.encode(), data.encode(), hashlib.sha1).hexdigest()
    text = f"partner_id={key}&sig={signature}:{data}".encode()
    return "T1==" + (base64.urlsafe_b64encode(text) if url_safe else base64.b64encode(text)).decode()


@dataclass(frozen=True, slots=True)
class Speaker:
    """One SDK as the server sees it.

    Attributes:
        name: Which.
        headers: What every request carries, for the server's key and secret at a time in seconds.
        accepts: The statuses that it takes for success, by operation; `other` for the rest.
    """

    name: str
    headers: Callable[[str, str, int], dict[str, str]]
    accepts: dict[str, set[int]]

    def succeeded(self, operation: str, answer: Answer) -> bool:
        return answer.status in self.accepts.get(operation, self.accepts["other"])


def php(key: str, secret: str, now: int) -> dict[str, str]:
    claims = {"ist": "project", "iss": key, "iat": now, "exp": now + 300, "jti": "6748a1b2c3d4e"}
    return {
        "User-Agent": "OpenTok-PHP-SDK/4.21.3 php/8.2.20 GuzzleHttp/7",
        "X-OPENTOK-AUTH": jwt(secret, {"typ": "JWT", "alg": "HS256"}, claims),
    }


def ruby(key: str, secret: str, now: int) -> dict[str, str]:
    return {
        "X-Opentok-Auth": jwt(secret, {"ist": "project", "alg": "HS256"}, {"iss": key, "iat": now, "exp": now + 300}),
        "User-Agent": "OpenTok-Ruby-SDK/4.13.0-Ruby-Version-3.1.7-p261",
        "Accept-Encoding": "gzip;q=1.0,deflate;q=0.6,identity;q=0.3",
        "Accept": "*/*",
        "Connection": "close",
    }


def dotnet(key: str, secret: str, now: int) -> dict[str, str]:
    claims = {"iss": key, "ist": "project", "iat": now, "exp": now + 300}
    return {
        "X-OPENTOK-AUTH": jwt(secret, {"typ": "JWT", "alg": "HS256"}, claims),
        "X-TB-VERSION": "1",
        "User-Agent": "Opentok-DotNet-SDK/3.22.0.0",
    }


def java(key: str, secret: str, now: int) -> dict[str, str]:
    claims = {"iss": key, "ist": "project", "iat": now, "exp": now + 180, "jti": "f8b1"}
    return {
        "User-Agent": "Opentok-Java-SDK/4.17.0 JRE/17.0.15",
        "X-OPENTOK-AUTH": jwt(secret, {"alg": "HS256"}, claims),
    }


ANY_2XX = set(range(200, 300))
SPEAKERS = {
    "php": Speaker("php", php, {"other": ANY_2XX, "stop_render": {200}}),
    "ruby": Speaker(
        "ruby",
        ruby,
        {
            "other": {200},
            "create": ANY_2XX,
            "signal": {204},
            "force_disconnect": {204},
            "delete_archive": {204},
            "streams": {204},
            "stop_render": {204},
            "start_captions": {202},
            "stop_captions": {202},
            "start_render": {202},
        },
    ),
    "dotnet": Speaker("dotnet", dotnet, {"other": {200, 202, 204}}),
    "java": Speaker(
        "java",
        java,
        {
            "other": {200},
            "start_captions": {200, 202},
            "signal": {204},
            "force_disconnect": {204},
            "start_render": {202},
        },
    ),
}


class Replay:
    """Sends requests as one SDK does."""

    def __init__(self, server: TertuliaServer, speaker: Speaker) -> None:
        self.server = server
        self.speaker = speaker
        self.project = f"/v2/project/{server.api_key}"

    def __call__(
        self, method: str, path: str, body: str | None = None, content_type: str | None = None, url: str | None = None
    ) -> Answer:
        headers = self.speaker.headers(self.server.api_key, self.server.api_secret, int(time.time()))
        if content_type is not None:
            headers["Content-Type"] = content_type
            if self.speaker.name == "dotnet":
                headers["Expect"] = content_type  # as it does, though nobody can meet such an expectation
        sent = None if body is None else body.encode()
        if sent is None and method != "GET":
            sent = b""
        return exchange(url or self.server.url, method, path, headers, sent)

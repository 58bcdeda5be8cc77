"""One request as bytes on a connection, with exactly the headers that it is given, and its answer."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from tests import openapi

DEADLINE_S = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and what the readers of several SDKs make of it."""

    status: int
    content_type: str | None
    body: bytes

    @property
    def json(self) -> Any:
        """The body for a reader that knows JSON alone, however the type is called."""
        return json.loads(self.body)

    @property
    def xml(self) -> ElementTree.Element:
        """The body for a reader that knows XML alone."""
        return ElementTree.fromstring(self.body)  # the server's own answer


def exchange(url: str, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
    """Sends the request to the server at `url`, whose path is put before it unread, and reads the answer.

    `Host` is added, and `Content-Length` where there is a body; nothing else is.
    """
    parts = urllib.parse.urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE_S)
    try:
        connection.putrequest(method, parts.path + path, skip_host=False, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        read = Answer(answer.status, answer.getheader("Content-Type"), answer.read())
        faults = openapi.faults(method, urllib.parse.urlsplit(path).path, read.status, read.content_type, read.body)
        assert not faults, faults
        return read
    finally:
        connection.close()

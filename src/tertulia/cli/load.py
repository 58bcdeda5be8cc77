"""`tertulia load`: makes sessions and tokens, then becomes the load generator."""

from __future__ import annotations

import asyncio
import json as json_text
import os
import secrets
import socket
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Annotated, Any, NoReturn

from cyclopts import Parameter

from tertulia.cli.store import Config, Data, Json, open_store
from tertulia.clock import SystemClock
from tertulia.config import load as settings_from
from tertulia.domain.project import Project, ProjectStatus
from tertulia.errors import InvalidParameterError
from tertulia.supervisor.errors import CannotStartError
from tertulia.supervisor.programs import find_load
from tertulia.wire.tokens import encode_jwt, encode_rest_token

ANSWER_S = 10
# A token must outlive the run with its ramp, and churn needs it to the end.
TOKEN_LIFETIME_S = 24 * 3600
MAX_SESSIONS = 1_000
MAX_SECRET_BYTES = 65_536

_TokenFile = Annotated[
    Path | None, Parameter(help="File with a token of a session (-: standard input).", allow_leading_hyphen=True)
]
_SecretFile = Annotated[
    Path | None,
    Parameter(
        help="File with the secret of --api-key (-: standard input). [default: the data folder's]",
        allow_leading_hyphen=True,
    ),
]


def load(
    *,
    url: Annotated[str, Parameter(help="The server.")] = "http://localhost:8080",
    publishers: Annotated[int, Parameter(help="Clients of each session that only publish.")] = 1,
    subscribers: Annotated[int, Parameter(help="Clients of each session that only subscribe.")] = 10,
    participants: Annotated[int, Parameter(help="Clients of each session that publish and subscribe.")] = 0,
    sessions: Annotated[int, Parameter(help="Sessions with these clients each.")] = 1,
    pairs: Annotated[int, Parameter(help="Calls of two, each in a session of its own, besides the above.")] = 0,
    session: Annotated[str | None, Parameter(help="Join this session instead of a new one.")] = None,
    token_file: _TokenFile = None,
    api_key: Annotated[str | None, Parameter(help="The project's key. [default: the data folder's project]")] = None,
    secret_file: _SecretFile = None,
    duration: Annotated[float, Parameter(help="Seconds of media after everybody is in.")] = 10.0,
    ramp: Annotated[float, Parameter(help="Clients that join per second; 0: all at once.")] = 20.0,
    churn: Annotated[float, Parameter(help="Clients that leave and are replaced per second.")] = 0.0,
    stay: Annotated[float | None, Parameter(help="Seconds after which a client leaves. [default: the end]")] = None,
    bitrate: Annotated[int, Parameter(help="Bit/s of each published video; 0: no video.")] = 1_000_000,
    frame_rate: Annotated[int, Parameter(help="Frames per second of each published video.")] = 30,
    packet_bytes: Annotated[int, Parameter(help="Largest video packet.")] = 1_150,
    audio_bytes: Annotated[int, Parameter(help="Every audio packet; 0: no audio.")] = 100,
    audio_frame: Annotated[int, Parameter(help="Milliseconds of each audio packet: 5, 10 or 20.")] = 20,
    streams: Annotated[int, Parameter(help="Streams that a client subscribes to at most.")] = 48,
    loudest: Annotated[
        bool, Parameter(help="Clients take the loudest only where a session has many speakers, as browsers do.")
    ] = False,
    drop: Annotated[float, Parameter(help="Percent of received media that clients drop on purpose.")] = 0.0,
    threads: Annotated[int, Parameter(help="Threads that carry the clients.")] = 1,
    seed: Annotated[int | None, Parameter(help="Of everything random. [default: any]")] = None,
    no_limits: Annotated[bool, Parameter(help="Allow more clients and time than is good by accident.")] = False,
    i_have_permission: Annotated[
        bool, Parameter(help="Load a server on another machine: whoever runs it has agreed.")
    ] = False,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> NoReturn:
    """Load a server with clients that have real ICE, DTLS and SRTP, and count what arrives."""
    program = find_load(settings_from(config, flags={"data_folder": data}).programs_folder)
    _check_counts(publishers, subscribers, participants, sessions, pairs)
    if not i_have_permission:
        _check_reach(url)
    group = {"publishers": publishers, "subscribers": subscribers, "participants": participants}
    groups: list[dict[str, Any]] = [dict(group) for _ in range(sessions)] if sum(group.values()) else []
    groups += [{"participants": 2} for _ in range(pairs)]
    if token_file is not None:
        tokens = [_read(token_file, "token")]
    else:
        owner = _owner(api_key, secret_file, config, data)
        made = [session] if session is not None else [_create_session(url, *owner) for _ in groups]
        tokens = [_token(*owner, one) for one in made]
    if (session or token_file) and len(groups) != 1:
        raise InvalidParameterError("One given session cannot be several; leave out --sessions and --pairs.")
    plan = {"sessions": [{"token": token, **one} for token, one in zip(tokens, groups, strict=True)]}
    command = [str(program), "--url", url, "--duration", str(duration), "--ramp", str(ramp), "--churn", str(churn)]
    command += ["--bitrate", str(bitrate), "--frame-rate", str(frame_rate), "--packet-bytes", str(packet_bytes)]
    command += ["--audio-bytes", str(audio_bytes), "--audio-frame", str(audio_frame)]
    command += ["--streams", str(streams), "--drop", str(drop)]
    command += [] if stay is None else ["--stay", str(stay)]
    command += ["--threads", str(threads), *([] if seed is None else ["--seed", str(seed)])]
    flags = {"--loudest": loudest, "--no-limits": no_limits, "--i-have-permission": i_have_permission, "--json": json}
    _become(command + [name for name, is_set in flags.items() if is_set], json_text.dumps(plan).encode())


def _check_counts(publishers: int, subscribers: int, participants: int, sessions: int, pairs: int) -> None:
    if min(publishers, subscribers, participants, pairs) < 0 or sessions < 1:
        raise InvalidParameterError("Numbers of clients are not negative, and there is at least one session.")
    if publishers + subscribers + participants + pairs == 0:
        raise InvalidParameterError("There is no client to join; name --publishers, --subscribers or --pairs.")
    if sessions + pairs > MAX_SESSIONS:
        raise InvalidParameterError(f"At most {MAX_SESSIONS} sessions are made at a time.")


def _check_reach(url: str) -> None:
    """Raises CannotStartError if `url` leads to another machine: only addresses of this one can be bound."""
    try:
        parts = urllib.parse.urlsplit(url)
        found = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_DGRAM)
    except (OSError, ValueError) as error:
        raise CannotStartError(f"The host of {url} was not found ({error}); correct --url.") from error
    for family, kind, _, _, address in found:
        with socket.socket(family, kind) as probe:
            try:
                probe.bind((address[0], 0))
            except OSError as error:
                raise CannotStartError(
                    f"{address[0]} is not on this machine. Load can bring a service down: ask whoever runs it, "
                    "and with their permission add --i-have-permission."
                ) from error


def _owner(api_key: str | None, secret_file: Path | None, config: Path | None, data: Path | None) -> tuple[str, str]:
    """Key and secret of the project that is to own the sessions."""
    if secret_file is not None:
        if api_key is None:
            raise InvalidParameterError("--secret-file is the secret of --api-key; name both.")
        return api_key, _read(secret_file, "secret")

    async def find() -> list[Project]:
        async with open_store(config, data) as store:
            return await store.list_projects()

    projects = [one for one in asyncio.run(find()) if one.status is ProjectStatus.ACTIVE]
    for project in projects:
        if api_key in (None, project.api_key):
            return project.api_key, project.api_secret
    raise InvalidParameterError(
        "The data folder has no such project; name the server's with --data, or give --api-key with --secret-file."
    )


def _read(file: Path, what: str) -> str:
    try:
        stream = sys.stdin.buffer if str(file) == "-" else file.open("rb")
        with stream:
            text = stream.read(MAX_SECRET_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParameterError(f"The {what} in {file} cannot be read ({error}).") from error
    if not text:
        raise InvalidParameterError(f"There is no {what} in {file}.")
    return text


def _create_session(url: str, api_key: str, api_secret: str) -> str:
    token = encode_rest_token(api_key=api_key, api_secret=api_secret, now_s=SystemClock().wall() // 1000)
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked by whoever opens it
        urllib.parse.urljoin(url, "/session/create"),
        data=b"p2p.preference=disabled",
        headers={"X-OPENTOK-AUTH": token, "Accept": "application/json"},
    )
    try:
        # No proxy: what is loaded is what was named.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=ANSWER_S) as answer:
            return str(json_text.load(answer)[0]["session_id"])
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise CannotStartError(
                f"The server at {url} refused the project's key and secret; name its own with --data, "
                "or --api-key and --secret-file."
            ) from error
        raise CannotStartError(f"The server at {url} made no session (status {error.code}).") from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = getattr(error, "reason", error)
        raise CannotStartError(f"No Tertulia server answers at {url} ({reason}); start it or correct --url.") from error


def _token(api_key: str, api_secret: str, session_id: str) -> str:
    now_s = SystemClock().wall() // 1000
    return encode_jwt(
        api_key=api_key,
        api_secret=api_secret,
        session_id=session_id,
        role="publisher",
        connection_data="",
        created_at_s=now_s,
        expires_at_s=now_s + TOKEN_LIFETIME_S,
        nonce=secrets.randbits(32),
    )


def _become(command: list[str], plan: bytes) -> NoReturn:
    """Replace this process by the program, so that signals reach it, with `plan` on its standard input."""
    # A file that has no name: a pipe takes 64 KiB and there is nobody left to fill it.
    with tempfile.TemporaryFile() as file:
        file.write(plan)
        file.seek(0)
        os.dup2(file.fileno(), 0)
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - our own program

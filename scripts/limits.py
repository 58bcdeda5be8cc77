"""Writes docs/limits.md from the constants of all three languages. `--check` says whether it is as the code has it.

.venv/bin/python scripts/limits.py [--check]
"""

from __future__ import annotations

import ast
import operator
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "limits.md"

CODES = "src/tertulia/wire/codes.py"
DOMAIN = "src/tertulia/domain/limits.py"
SOCKET = "src/tertulia/adapters/websocket/socket.py"
AUDIENCE = "src/tertulia/services/audience.py"
GATE = "src/tertulia/adapters/gate.py"
HTTP = "src/tertulia/adapters/http/protocols.py"
OPERATOR = "src/tertulia/adapters/http/operator_access.py"
PROBE = "src/tertulia/adapters/http/probe.py"
ISSUES = "src/tertulia/adapters/http/issues.py"
CORE = "src/tertulia/client/core.py"
COURSE = "src/tertulia/server/course.py"
CALLBACKS = "src/tertulia/domain/callbacks.py"
DISPATCHER = "src/tertulia/services/dispatcher.py"
SENDER = "src/tertulia/adapters/webhooks/sender.py"
OUTBOX = "src/tertulia/adapters/storage/callbacks.py"
PATIENCE = "src/tertulia/adapters/storage/patience.py"
WRITER = "src/tertulia/adapters/storage/writer.py"
HOOKS = "src/tertulia/services/hooks.py"
MEDIA = "web/src/engine/media.ts"
LOAD = "crates/load/src/args.rs"
MEMBER = "crates/load/src/client/member.rs"
LINK = "web/src/signalling/link.ts"

HEAD = """\
# Limits

What the server refuses, what it waits for, and what the clients keep. This page is made from the code by
`scripts/limits.py`; a name in `code` is a limit of the wire and stands in `contract/` as well.
"""


@dataclass(frozen=True)
class Limit:
    """One row: `name` is a key of the contract when it is an identifier, and else words."""

    name: str
    file: str
    constant: str
    unit: str
    above: str
    setting: str = ""


SECTIONS: dict[str, list[Limit]] = {
    "Signalling": [
        Limit("message_bytes", CODES, "MESSAGE_BYTES", "bytes", "The request is answered with an error."),
        Limit(
            "offer_message_bytes",
            CODES,
            "OFFER_MESSAGE_BYTES",
            "bytes",
            "Of `negotiate`, `publish` and `republish`; above it the socket closes with 1009.",
        ),
        Limit("json_values", CODES, "JSON_VALUES", "arrays and objects in a frame", "The socket closes with 4000."),
        Limit("media_lines", CODES, "MEDIA_LINES", "lines in one offer", "The request is answered with an error."),
        Limit("signal_data_bytes", DOMAIN, "SIGNAL_DATA_BYTES", "bytes of UTF-8", "Error 413."),
        Limit("signal_type_bytes", DOMAIN, "SIGNAL_TYPE_BYTES", "bytes of UTF-8", "Error 413."),
        Limit("state_values_per_request", DOMAIN, "STATE_VALUES_PER_REQUEST", "keys", "Error 405."),
        Limit("state_key_characters", DOMAIN, "STATE_KEY_CHARACTERS", "characters", "Error 402."),
        Limit("state_value_characters", DOMAIN, "STATE_VALUE_CHARACTERS", "characters", "Error 403."),
        Limit("state_keys", DOMAIN, "STATE_KEYS", "keys of one session", "Error 405."),
        Limit("state_bytes", DOMAIN, "STATE_BYTES", "bytes of UTF-8 in one session, keys and values", "Error 405."),
        Limit(
            "signals_per_second",
            CODES,
            "SIGNALS_PER_SECOND",
            "signals, and settings of the shared state, of one connection",
            "Error 429. If it goes on, the socket closes with 4029.",
        ),
        Limit("requests_per_second", CODES, "REQUESTS_PER_SECOND", "other requests of one connection", "The same."),
        Limit("request_burst", CODES, "REQUEST_BURST", "other requests at once", "The same."),
        Limit("refusals", CODES, "REFUSALS", "refusals for rate", "The socket closes with 4029."),
        Limit(
            "unanswered_requests",
            CODES,
            "UNANSWERED_REQUESTS",
            "requests of one connection",
            "The socket closes with 4000. The clients keep below it.",
        ),
        Limit(
            "kept_replies",
            CODES,
            "KEPT_REPLIES",
            "replies of one connection",
            "A request that is repeated after more than that many later ones is answered with an error.",
        ),
        Limit("messages that wait for a client", SOCKET, "QUEUE_MESSAGES", "messages", "The socket closes with 4004."),
        Limit("what waits for a client", SOCKET, "QUEUE_BYTES", "bytes", "The socket closes with 4004."),
        Limit(
            "connections of a session from which on telling all of them is paced",
            AUDIENCE,
            "PACED_FROM",
            "connections",
            "What happens during the pause, 20 us for each of them, is told at its end in one write.",
        ),
        Limit(
            "facts that wait for the end of that pause",
            AUDIENCE,
            "HELD_FACTS",
            "facts",
            "The pause ends.",
        ),
        Limit(
            "rows of the log read at once for a client that resumes",
            "src/tertulia/services/live_session.py",
            "BACKLOG_ROWS",
            "rows",
            "The next are read when it has taken these.",
        ),
        Limit("fragments of a message", HTTP, "FRAGMENTS", "frames", "The connection is cut."),
        Limit(
            "rows of a session's log",
            "src/tertulia/adapters/storage/writer.py",
            "LOG_ROWS",
            "rows",
            "Who was away for longer gets the session's state instead of the events.",
        ),
    ],
    "Time": [
        Limit(
            "authentication_s",
            CODES,
            "AUTHENTICATION_S",
            "seconds",
            "A socket that has said neither `join` nor `resume` by then is closed with 4003.",
            "sessions.authentication_s",
        ),
        Limit(
            "heartbeat_s",
            CODES,
            "HEARTBEAT_S",
            "seconds",
            "The server asks for a sign of life this often. Two missed ones are a lost network.",
            "sessions.heartbeat_s",
        ),
        Limit(
            "reconnect_window_s",
            DOMAIN,
            "reconnect_window_s",
            "seconds",
            "A client tries this long to come back.",
            "sessions.reconnect_window_s",
        ),
        Limit(
            "reconnect_grace_s",
            DOMAIN,
            "reconnect_grace_s",
            "seconds",
            "The server holds the seat this much longer.",
            "sessions.reconnect_grace_s",
        ),
        Limit(
            "sender_stats_s",
            DOMAIN,
            "SENDER_STATS_S",
            "seconds",
            "Between two `senderStats` of one stream; what comes sooner is passed on to nobody.",
        ),
        Limit(
            "media_idle_s",
            DOMAIN,
            "media_idle_s",
            "seconds",
            "Who has neither published nor subscribed for so long is disconnected with `mediaIdle`.",
            "sessions.media_idle_s",
        ),
        Limit(
            "after a restart of control, before a client counts as interrupted",
            DOMAIN,
            "adoption_grace_s",
            "seconds",
            "The others are told.",
        ),
        Limit(
            "control without any supervisor",
            "src/tertulia/supervisor/orphan.py",
            "GRACE_S",
            "seconds",
            "It ends.",
            "sessions.orphan_grace_s",
        ),
        Limit(
            "the router without any supervisor",
            "crates/router-net/src/args.rs",
            "ORPHAN_GRACE_S",
            "seconds",
            "It ends when control is gone too.",
            "sessions.orphan_grace_s",
        ),
    ],
    "Connections to control": [
        Limit("a request, until it is whole", HTTP, "REQUEST_S", "seconds", "The connection is cut.", "http.request_s"),
        Limit("request line and headers", HTTP, "HEAD_BYTES", "bytes", "Status 431, and the connection is cut."),
        Limit("probes of their line from all pages", PROBE, "PROBES_PER_SECOND", "a second", "Status 429."),
        Limit("bytes of a probe", PROBE, "PROBE_BYTES", "bytes", "Status 400."),
        Limit("reports of issues from all pages", ISSUES, "REPORTS_PER_SECOND", "a second", "Status 429."),
        Limit("operator's passwords from one address, at once", OPERATOR, "GUESSES_AT_ONCE", "guesses", "Status 429."),
        Limit("further ones", OPERATOR, "GUESSES_PER_S", "a second", "Status 429."),
        Limit(
            "sessions of a project on the projects page",
            "src/tertulia/adapters/http/operator_api.py",
            "SESSIONS_SHOWN",
            "sessions",
            "The newest are shown; the shell lists more.",
        ),
        Limit(
            "a project's name", "src/tertulia/services/projects.py", "MAX_NAME_CHARACTERS", "characters", "Status 400."
        ),
        Limit(
            "a secret in a file of its own",
            "src/tertulia/config_sources.py",
            "SECRET_BYTES",
            "bytes",
            "The server does not start.",
        ),
        Limit("what a user writes in one", ISSUES, "DESCRIPTION_CHARACTERS", "characters", "Status 400."),
        Limit("statistics in one, as JSON", ISSUES, "STATISTICS_BYTES", "bytes", "Status 400."),
        Limit(
            "reports of issues that are kept",
            "src/tertulia/services/ports.py",
            "KEPT_ISSUES",
            "reports",
            "The oldest are dropped.",
        ),
        Limit("a request in all", HTTP, "REQUEST_BYTES", "bytes", "Status 413, and the connection is cut."),
        Limit(
            "the body of a REST request",
            "src/tertulia/adapters/http/answers.py",
            "MAX_BODY_BYTES",
            "bytes",
            "Status 400 or 413.",
        ),
        Limit(
            "connections that have proven nothing yet",
            GATE,
            "PENDING",
            "connections",
            "The oldest of them is cut.",
            "http.pending",
        ),
        Limit(
            "the same from one address (IPv6: one /64)",
            GATE,
            "PENDING_PER_ADDRESS",
            "connections",
            "The oldest of that address is cut.",
            "http.pending_per_address",
        ),
        Limit("tones of one request", "src/tertulia/wire/rest_live.py", "MAX_DIGITS", "tones", "Status 400."),
        Limit("last words that are not taken", HTTP, "CLOSING_S", "seconds", "The connection is cut."),
        Limit(
            "data that the client's system does not take",
            "src/tertulia/supervisor/sockets.py",
            "UNTAKEN_S",
            "seconds",
            "The connection is cut.",
        ),
        Limit(
            "what the system keeps for one connection",
            "src/tertulia/supervisor/sockets.py",
            "SEND_BUFFER_BYTES",
            "bytes",
            "Control waits, up to its own limits.",
        ),
    ],
    "The store": [
        Limit("a request that needs a store that is away", PATIENCE, "WAIT_S", "seconds", "Error 1006, status 503."),
        Limit(
            "what a session reports to a store that is away",
            PATIENCE,
            "AWAY_S",
            "seconds",
            "The session ends here; its clients resume from what is stored.",
        ),
        Limit(
            "sessions and rounds of sessions that wait to be written",
            WRITER,
            "QUEUE_LIMIT",
            "entries",
            "Error 1006, status 503.",
        ),
    ],
    "Callbacks": [
        Limit("callbacks of one project", CALLBACKS, "CALLBACKS_PER_PROJECT", "callbacks", "Status 400."),
        Limit("address of a callback", CALLBACKS, "URL_CHARACTERS", "characters", "Status 400."),
        Limit("wait after the first attempt", CALLBACKS, "FIRST_DELAY_S", "seconds", "It doubles with each attempt."),
        Limit("longest wait", CALLBACKS, "LONGEST_DELAY_S", "seconds", "It stays."),
        Limit("attempts of one event", CALLBACKS, "GIVE_UP_S", "seconds", "It is given up, and kept for replay."),
        Limit("refusals of one event", CALLBACKS, "REFUSALS", "answers 4xx but 408 and 429", "It is set aside."),
        Limit("attempts at once", DISPATCHER, "WORKERS", "attempts", "The next wait."),
        Limit("attempts at once to one receiver", DISPATCHER, "PER_RECEIVER", "attempts", "The next wait."),
        Limit("attempts at once of one project", DISPATCHER, "PER_PROJECT", "attempts", "The next wait."),
        Limit(
            "body of an answer that is read",
            SENDER,
            "ANSWER_BYTES",
            "bytes",
            "The rest is not; only the status counts.",
        ),
        Limit("deliveries that arrived are kept", OUTBOX, "DELIVERED_KEPT_S", "seconds", "They are dropped."),
        Limit("set aside or given up, they are kept", OUTBOX, "GIVEN_UP_KEPT_S", "seconds", "They are dropped."),
    ],
    "The router link": [
        Limit(
            "max_frame_bytes",
            "src/tertulia/wire/router/frames.py",
            "MAX_FRAME_BYTES",
            "bytes",
            "The link is closed and opened again.",
        ),
        Limit(
            "replies that wait",
            "crates/router-net/src/link/outbox.rs",
            "MAX_WAITING_REPLIES",
            "replies",
            "No further request is read.",
        ),
        Limit(
            "events that wait",
            "crates/router-net/src/link/outbox.rs",
            "MAX_WAITING_EVENTS",
            "events",
            "Statistics and levels are dropped first, and counted.",
        ),
        Limit(
            "requests between link and shard",
            "crates/router-net/src/program.rs",
            "MAX_JOBS",
            "requests",
            "No further request is read.",
        ),
        Limit(
            "messages for one shard from the others",
            "crates/router-net/src/program.rs",
            "MAX_MAIL",
            "messages",
            "They wait at their sender, which takes no further request.",
        ),
    ],
    "The router": [
        Limit(
            "on the way in one direction of a network that is made bad",
            "crates/router-net/src/impair/stage.rs",
            "MAX_HELD_BYTES",
            "bytes",
            "They are lost, of each thread.",
        ),
        Limit(
            "clients' addresses on a network that is made bad",
            "crates/router-net/src/impair/stage.rs",
            "MAX_LINKS",
            "addresses",
            "Packets of a further one are lost, of each thread.",
        ),
        Limit("an offer", "crates/router/src/sdp/offer.rs", "MAX_BYTES", "bytes", "It is refused."),
        Limit("media lines of an offer", "crates/router/src/sdp/offer.rs", "MAX_LINES", "lines", "It is refused."),
        Limit("one line of an offer", "crates/router/src/sdp/offer.rs", "MAX_LINE_BYTES", "bytes", "It is refused."),
        Limit(
            "lines of one media section",
            "crates/router/src/sdp/offer.rs",
            "MAX_SECTION_LINES",
            "lines",
            "It is refused.",
        ),
        Limit(
            "encodings of one media section", "crates/router/src/sdp/offer.rs", "MAX_RIDS", "lines", "It is refused."
        ),
        Limit(
            "sources of one media section", "crates/router/src/sdp/offer.rs", "MAX_SOURCES", "lines", "It is refused."
        ),
        Limit(
            "header extensions of one media section",
            "crates/router/src/sdp/offer.rs",
            "MAX_EXTENSIONS",
            "lines",
            "It is refused.",
        ),
        Limit(
            "a packet of a client", "crates/router/src/engine/str0m.rs", "MAX_PACKET_BYTES", "bytes", "It is dropped."
        ),
        Limit(
            "RTP sources of one transport, and one more every 10 s",
            "crates/router/src/plane/mod.rs",
            "SOURCES",
            "sources",
            "Their packets are dropped.",
        ),
        Limit(
            "media that one transport takes, each packet counted as 1,000 bytes at least",
            "crates/router/src/plane/intake.rs",
            "MEDIA_BYTES_PER_S",
            "bytes per second",
            "They are dropped and counted; a quarter of a second at once is taken.",
        ),
        Limit(
            "RTCP datagrams that one transport takes",
            "crates/router/src/plane/intake.rs",
            "CONTROL_PER_S",
            "datagrams per second",
            "They are dropped and counted; 0.4 s at once is taken.",
        ),
        Limit(
            "packets that RTCP of one transport asks for or reports on",
            "crates/router/src/plane/intake.rs",
            "ITEMS_PER_S",
            "packets per second",
            "Further ones are not looked at; 0.4 s at once is taken.",
        ),
        Limit(
            "RTCP packets of one datagram",
            "crates/router/src/rtp/rtcp/mod.rs",
            "MAX_PACKETS",
            "packets",
            "The rest is not read.",
        ),
        Limit(
            "entries of one NACK, of up to 17 packets each",
            "crates/router/src/rtp/rtcp/feedback.rs",
            "MAX_NACK_ENTRIES",
            "entries",
            "The rest is not read.",
        ),
        Limit(
            "packets that one transport-wide feedback reports on",
            "crates/router/src/rtp/rtcp/transport_feedback.rs",
            "MAX_STATUSES",
            "packets",
            "The datagram is not read further.",
        ),
        Limit(
            "blocks of one packet of redundant audio",
            "crates/router/src/rtp/red.rs",
            "MAX_BLOCKS",
            "blocks",
            "It is not read.",
        ),
        Limit(
            "packets of one source that are asked for at once",
            "crates/router/src/plane/missing.rs",
            "MAX_MISSING",
            "packets",
            "The oldest are not asked for any more.",
        ),
        Limit(
            "requests for one lost packet",
            "crates/router/src/plane/missing.rs",
            "MAX_REQUESTS",
            "requests",
            "It is given up.",
        ),
        Limit(
            "packets that one line keeps for retransmission",
            "crates/router/src/plane/history.rs",
            "MAX_PACKETS",
            "packets",
            "The oldest is forgotten.",
        ),
        Limit(
            "retransmissions of one packet",
            "crates/router/src/plane/history.rs",
            "MAX_REPETITIONS",
            "times",
            "Further requests for it are not answered.",
        ),
        Limit(
            "retransmissions of one transport at once, then half of what is new",
            "crates/router/src/plane/repetition.rs",
            "BURST",
            "bytes",
            "Further requests are not answered.",
        ),
        Limit(
            "second copies of repeats that wait for one transport",
            "crates/router/src/plane/departed.rs",
            "MAX_COPIES",
            "packets",
            "The newest is left out.",
        ),
        Limit(
            "packets of one transport that feedback can name",
            "crates/router/src/plane/departed.rs",
            "REMEMBERED",
            "packets",
            "Older ones leave again by request only.",
        ),
        Limit(
            "packets that wait to be sealed for one transport",
            "crates/router/src/plane/mod.rs",
            "MAX_WAITING",
            "packets",
            "The newest is dropped.",
        ),
        Limit(
            "packets of one transport that reports are awaited for",
            "crates/router/src/bandwidth/estimator/history.rs",
            "MOST",
            "packets",
            "The oldest is forgotten; a report on it is not heard.",
        ),
        Limit(
            "packets that a probe makes at once",
            "crates/router/src/plane/mod.rs",
            "MAX_PROBE_PACKETS",
            "packets",
            "The rest leaves 2 ms later.",
        ),
        Limit(
            "packets of one transport that are held back to even out video",
            "crates/router/src/plane/pacing.rs",
            "MAX_HELD",
            "packets",
            "The oldest leaves at once.",
        ),
        Limit(
            "how long a packet is held back to even out video",
            "crates/router/src/plane/pacing.rs",
            "LONGEST",
            "s",
            "It leaves at once.",
        ),
        Limit(
            "packets of one feedback to a publisher",
            "crates/router/src/plane/arrivals.rs",
            "MAX_PACKETS",
            "packets",
            "Feedback leaves at once.",
        ),
        Limit(
            "signatures verified at once in one handshake, then one in 5 ms",
            "crates/router/src/engine/flight.rs",
            "VERIFICATIONS",
            "signatures",
            "They are dropped; the client sends its flight again.",
        ),
        Limit(
            "encodings of a track",
            "crates/router/src/layers.rs",
            "MAX_ENCODINGS",
            "encodings",
            "Further ones are dropped.",
        ),
        Limit(
            "what an engine may say at one go",
            "crates/router/src/router.rs",
            "MAX_OUTPUTS",
            "outputs",
            "That transport ends.",
        ),
        Limit(
            "an old name of a transport, after an ICE restart",
            "crates/router/src/demux.rs",
            "OLD_UFRAG",
            "seconds",
            "It is forgotten.",
        ),
        Limit(
            "proven addresses of a client",
            "crates/router/src/demux.rs",
            "MAX_ADDRESSES",
            "addresses",
            "The oldest is forgotten.",
        ),
        Limit("shards", "crates/router-net/src/args.rs", "MAX_SHARDS", "threads", "`--shards` is refused."),
        Limit(
            "transports of a group that a shard takes whatever the others have",
            "crates/router-net/src/args.rs",
            "GROUP_SHARE",
            "transports",
            "The group spreads. Flag `--group-share`.",
        ),
        Limit(
            "a datagram",
            "crates/router-net/src/batch.rs",
            "MAX_DATAGRAM_BYTES",
            "bytes",
            "Dropped and counted.",
        ),
        Limit(
            "packets on the way from one shard to another",
            "crates/router-net/src/parcels.rs",
            "RING_PACKETS",
            "packets",
            "Dropped and counted.",
        ),
        Limit(
            "packets on the way from one shard to all others",
            "crates/router-net/src/parcels.rs",
            "POOL_PACKETS",
            "packets",
            "Dropped and counted.",
        ),
        Limit(
            "a TCP connection, until its first frame is a known check",
            "crates/router-net/src/tcp/door.rs",
            "FIRST_FRAME_TIMEOUT",
            "seconds",
            "It is closed.",
        ),
        Limit(
            "TCP connections that have shown nothing yet",
            "crates/router-net/src/tcp/door.rs",
            "MAX_WAITING",
            "connections",
            "The oldest of them is closed.",
        ),
        Limit(
            "the same from one address (IPv6: one /64)",
            "crates/router-net/src/tcp/door.rs",
            "MAX_WAITING_OF_SOURCE",
            "connections",
            "The oldest of that address is closed.",
        ),
        Limit(
            "the first frame of a TCP connection",
            "crates/router-net/src/tcp/door.rs",
            "MAX_FIRST_FRAME_BYTES",
            "bytes",
            "The connection is closed.",
        ),
        Limit(
            "TCP connections of one transport",
            "crates/router-net/src/shard.rs",
            "MAX_CONNECTIONS_OF_TRANSPORT",
            "connections",
            "The oldest of them is closed.",
        ),
        Limit(
            "what waits for a client on a TCP connection",
            "crates/router-net/src/tcp/connection.rs",
            "MAX_QUEUED_BYTES",
            "bytes",
            "The oldest video is dropped, then the oldest audio, then checks; all counted.",
        ),
    ],
    "A session": [
        Limit("connections", DOMAIN, "connections", "connections", "Error 1027.", "sessions.connections"),
        Limit("streams", DOMAIN, "streams", "streams", "Error 1605.", "sessions.streams"),
        Limit(
            "streams of one connection",
            DOMAIN,
            "streams_per_connection",
            "streams",
            "Error 1605.",
            "sessions.streams_per_connection",
        ),
        Limit(
            "live audio streams that are all forwarded",
            DOMAIN,
            "loudest_above",
            "streams",
            "Only the loudest are forwarded, to clients that know of audio slots.",
            "sessions.loudest_above",
        ),
        Limit(
            "the loudest that are then forwarded to one subscriber",
            DOMAIN,
            "loudest_streams",
            "streams",
            "The others are silent. At most 8.",
            "sessions.loudest_streams",
        ),
        Limit(
            "layout classes of a stream",
            DOMAIN,
            "MAX_LAYOUT_CLASS_CHARACTERS",
            "characters",
            "Status 400; in a token error 1004.",
        ),
        Limit("a stream's name", DOMAIN, "MAX_NAME_CHARACTERS", "characters", "Error 1011."),
        Limit(
            "ended connections whose reason is remembered for a client that was away",
            "src/tertulia/services/live_session.py",
            "_ENDS_LIMIT",
            "connections of one server",
            "The oldest is forgotten; its client is told `networkDisconnected`.",
        ),
    ],
    "The browser client": [
        Limit("a socket, until `joined`", LINK, "OPENING_DEADLINE_MS", "milliseconds", "`connect()` fails."),
        Limit("a socket, until `resumed`", LINK, "RESUME_DEADLINE_MS", "milliseconds", "It tries again."),
        Limit(
            "`disconnect()` without an answer", LINK, "LEAVE_DEADLINE_MS", "milliseconds", "It is over all the same."
        ),
        Limit(
            "longest time between two tries",
            "web/src/signalling/retry.ts",
            "LONGEST_DELAY_MS",
            "milliseconds",
            "Shortened by chance by up to a half.",
        ),
        Limit(
            "requests that wait while the client is away",
            "web/src/signalling/requests.ts",
            "WAITING",
            "requests",
            "Further ones fail.",
        ),
        Limit(
            "media that stops without a word",
            MEDIA,
            "FLOW_PATIENCE_MS",
            "milliseconds",
            "Subscribers are told `disconnected`.",
        ),
        Limit(
            "media, until it flows for the first time", MEDIA, "CONNECT_DEADLINE_MS", "milliseconds", "`publish` fails."
        ),
    ],
    "The Python client": [
        Limit("`connect()` without an answer", CORE, "ANSWER_S", "seconds", "It fails."),
        Limit("a request without an answer", CORE, "REQUEST_S", "seconds", "It fails."),
        Limit("`disconnect()` without an answer", CORE, "LEAVE_S", "seconds", "It returns all the same."),
        Limit(
            "first pause between tries",
            "src/tertulia/client/retry.py",
            "FIRST_DELAY_S",
            "seconds",
            "Doubled with each try; the very first comes at once.",
        ),
        Limit(
            "longest pause",
            "src/tertulia/client/retry.py",
            "LONGEST_DELAY_S",
            "seconds",
            "Shortened by chance by up to a half.",
        ),
        Limit("a request without any word of the server", CORE, "DOUBT_S", "seconds", "The socket is in doubt."),
        Limit("a socket in doubt", CORE, "PROBE_S", "seconds", "It is lost."),
        Limit("requests without an answer on one socket", CORE, "ON_SOCKET", "requests", "Further ones wait."),
        Limit("requests that piled up, every 0.1 s", CORE, "PACE_NEXT", "requests", "The rest follow."),
        Limit(
            "an `async` handler",
            "src/tertulia/client/dispatch.py",
            "PATIENCE_S",
            "seconds",
            "It is reported and waited for no more.",
        ),
        Limit(
            "what waits in an iterator of a Subscriber",
            "src/tertulia/client/subscriber.py",
            "MOST_BUFFERED",
            "frames or packets",
            "The most that can be set; the oldest are dropped.",
        ),
        Limit(
            "encoded frames that wait for a decoder",
            "src/tertulia/client/media/flows.py",
            "UNDECODED",
            "frames",
            "All are dropped; pictures go on with a key frame.",
        ),
        Limit(
            "media, until it passes after `publish()` was accepted",
            "src/tertulia/client/media/engine.py",
            "CONNECT_S",
            "seconds",
            "`publish()` fails.",
        ),
        Limit(
            "a file or device, until it opens",
            "src/tertulia/client/media/sources.py",
            "OPEN_S",
            "seconds",
            "`publish()` fails.",
        ),
        Limit(
            "a side of a published picture",
            "src/tertulia/client/media/pumps.py",
            "LONGEST_SIDE",
            "pixels",
            "The source ends with an error.",
        ),
        Limit(
            "sent packets of an encoding that are kept",
            "src/tertulia/client/media/webrtc/sending.py",
            "HISTORY_PACKETS",
            "packets",
            "Older ones are not sent again.",
        ),
        Limit(
            "threads for codecs and devices",
            "src/tertulia/client/media/workers.py",
            "MOST_THREADS",
            "threads",
            "At most four more than cores; none while there is no media.",
        ),
    ],
    "The load generator": [
        Limit("clients", LOAD, "MAX_CLIENTS", "clients", "Refused without `--no-limits`."),
        Limit("media", LOAD, "MAX_DURATION_S", "seconds", "The same."),
        Limit("one published video", LOAD, "MAX_BITRATE_BPS", "bits per second", "The same."),
        Limit("joins, and replacements", LOAD, "MAX_PER_SECOND", "per second", "The same."),
        Limit("sessions that it makes", "src/tertulia/cli/load.py", "MAX_SESSIONS", "sessions", "Refused."),
        Limit("an answer of the server", MEMBER, "ANSWER", "seconds", "That client fails."),
        Limit("a media transport, until it has keys", MEMBER, "MEDIA", "seconds", "That client fails."),
        Limit("a goodbye without an answer", MEMBER, "GOODBYE", "seconds", "That client fails."),
        Limit(
            "everybody is in after the last one began",
            "crates/load/src/conductor.rs",
            "SETTLING",
            "seconds",
            "The run goes on with those who are in, and says so.",
        ),
        Limit(
            "a packet behind the newest",
            "crates/load/src/measure/receipt.rs",
            "WINDOW",
            "packets",
            "It counts as lost.",
        ),
        Limit(
            "frames that a publisher sends too late",
            "crates/load/src/media/mod.rs",
            "LARGEST_DELAY",
            "seconds",
            "They are left out, and counted.",
        ),
    ],
    "The Python client of the REST API": [
        Limit("a call, everything that is tried again included", COURSE, "timeout_s", "seconds", "It fails."),
        Limit("how often a call that failed is sent again", COURSE, "retries", "times", "It fails."),
        Limit(
            "wait before that",
            COURSE,
            "first_delay_s",
            "seconds",
            "Doubled each time, shortened by chance by up to a half.",
        ),
        Limit("an answer", COURSE, "MAX_ANSWER_BYTES", "bytes", "The call fails."),
    ],
    "Hooks of an application": [
        Limit("a hook that is asked", HOOKS, "DECISION_S", "seconds", "It counts as refused."),
        Limit("a hook that is told", HOOKS, "EVENT_S", "seconds", "It is cancelled, the next event follows."),
        Limit("events that wait for it", HOOKS, "EVENTS_WAITING", "events", "The newest are dropped and counted."),
    ],
}

TAIL = """
A client has at most 48 subscriptions at one time, for each needs a slot pair; the pool of pairs grows 2, 4, 8, 16, 32,
48, and to 56 where audio slots need room: a client with more than 45 subscriptions in a large session publishes at most
eight streams of sound and picture then. The Python client stops reading while 10,000 events wait for its handlers, and
an iterator that falls as far behind fails.
"""


def value_of(limit: Limit) -> float:
    """The constant's number, in seconds if it is a time. Raises LookupError unless it is there exactly once."""
    text = (ROOT / limit.file).read_text(encoding="utf-8")
    found = re.findall(rf"^[ \w()]*\b{limit.constant}(?:: [^=\n]+)? = ([^;\n#]+);?", text, re.MULTILINE)
    if len(found) != 1:
        raise LookupError(f"{limit.constant} is {len(found)} times in {limit.file}")
    expression = re.sub(r"Duration::from_secs\(([\d_]+)\)", r"\1", found[0].strip())
    expression = re.sub(r"Duration::from_millis\(([\d_]+)\)", r"\1 / 1000", expression)
    return _evaluate(ast.parse(expression, mode="eval").body)


_OPERATORS = {ast.Mult: operator.mul, ast.Div: operator.truediv, ast.LShift: operator.lshift, ast.Add: operator.add}


def _evaluate(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        result: float = _OPERATORS[type(node.op)](_evaluate(node.left), _evaluate(node.right))
        return result
    raise LookupError(f"not a number: {ast.unparse(node)}")


def page() -> str:
    """The whole page. Raises LookupError for a limit that is not in the code, or differs from the contract."""
    wire = yaml.safe_load((ROOT / "contract" / "signalling.yaml").read_text(encoding="utf-8"))["limits"]
    missing = set(wire) - {limit.name for limits in SECTIONS.values() for limit in limits}
    if missing:
        raise LookupError(f"limits of the wire without a row in scripts/limits.py: {', '.join(sorted(missing))}")
    parts = [HEAD]
    for title, limits in SECTIONS.items():
        parts.append(f"\n## {title}\n\n| what | limit | unit | above it |\n|---|--:|---|---|\n")
        for limit in limits:
            value = value_of(limit)
            if limit.name in wire and wire[limit.name] != value:
                raise LookupError(f"{limit.name} is {value} in {limit.file} and {wire[limit.name]} in the contract")
            name = f"`{limit.name}`" if re.fullmatch(r"[a-z]+(_[a-z]+)+|refusals", limit.name) else limit.name
            above = f"{limit.above} Setting `{limit.setting}`." if limit.setting else limit.above
            parts.append(
                f"| {name} | {value:,g} | {limit.unit} | {above} |\n"
                if value != int(value)
                else f"| {name} | {int(value):,} | {limit.unit} | {above} |\n"
            )
    return "".join(parts) + TAIL


def main(arguments: list[str]) -> int:
    text = page()
    if "--check" in arguments:
        if PAGE.read_text(encoding="utf-8") == text:
            return 0
        print("docs/limits.md is not as the code has it; run `make fmt`.")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

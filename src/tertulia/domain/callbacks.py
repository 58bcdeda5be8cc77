"""Callbacks: who is told of what, and every rule of delivering it: order, repetition, giving up, setting aside."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from types import MappingProxyType
from urllib.parse import urlsplit

from tertulia.clock import WallTime
from tertulia.errors import InvalidParameterError
from tertulia.ids import ApiKey, SessionId

__all__ = [
    "CALLBACKS_PER_PROJECT",
    "EVENTS",
    "FIRST_DELAY_S",
    "GIVE_UP_S",
    "LONGEST_DELAY_S",
    "REFUSALS",
    "URL_CHARACTERS",
    "Answer",
    "Callback",
    "CallbackGroup",
    "Delivery",
    "DeliveryStatus",
    "OutboxEntry",
    "Outcome",
    "after_attempt",
    "check_event",
    "check_url",
    "replayed",
]

FIRST_DELAY_S = 5
LONGEST_DELAY_S = 15 * 60
GIVE_UP_S = 24 * 3600
"""The three times of OpenTok's policy since 2024: first wait, longest wait, end."""
REFUSALS = 5
"""Refusals by the receiver itself, after which an event is set aside so that those behind it go out. Our own choice."""
CALLBACKS_PER_PROJECT = 100
URL_CHARACTERS = 2048


class CallbackGroup(StrEnum):
    """What a callback is about."""

    SESSION = "session"
    CONNECTION = "connection"
    STREAM = "stream"
    ARCHIVE = "archive"
    BROADCAST = "broadcast"
    RENDER = "render"
    CAPTIONS = "captions"
    SIP = "sip"


_LIFE = ("created", "destroyed")
EVENTS: Mapping[CallbackGroup, tuple[str, ...]] = MappingProxyType(
    {
        group: _LIFE
        if group in (CallbackGroup.SESSION, CallbackGroup.CONNECTION, CallbackGroup.STREAM)
        else ("status",)
        for group in CallbackGroup
    }
)
"""What can be registered for, by group."""


@dataclass(frozen=True, slots=True)
class Callback:
    """A project's wish to be told of one kind of event at one address.

    Attributes:
        callback_id: Its id, a UUID.
        api_key: The project.
        group: What it is about.
        event: One of the group's `EVENTS`.
        url: Where to; `http` or `https`.
        receiver_id: The same for all callbacks of a project to one address: events of a session reach it in order.
        secret: Signs what is sent to that receiver; never printed by `repr`.
        created_at_ms: When it was registered, milliseconds since the epoch.
    """

    callback_id: str
    api_key: ApiKey
    group: CallbackGroup
    event: str
    url: str
    receiver_id: str
    secret: str = field(repr=False)
    created_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """An event as it is put into the outbox; there it becomes one delivery for each callback that wants it.

    Attributes:
        event_id: The same in every delivery and repetition, so that a receiver can tell what it has.
        api_key: The project whose callbacks are meant.
        group: With `event`, the kind that callbacks are registered for.
        event: One of the group's `EVENTS`.
        name: Its name in the body, for people: `connectionCreated`.
        body: What is sent, JSON.
    """

    event_id: str
    api_key: ApiKey
    group: CallbackGroup
    event: str
    name: str
    body: str


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    SET_ASIDE = "set_aside"
    """The receiver refused it too often; those behind it went on."""
    DEAD = "dead"
    """It could not be delivered for a day."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one callback.

    Attributes:
        delivery_id: Grows with the order in which the events of a session happened.
        event_id: See `OutboxEntry`.
        callback_id: The callback that wanted it.
        api_key: Its project.
        session_id: Where it happened.
        url: Where it goes.
        name: The event's name.
        body: What is sent.
        status: Where it stands.
        created_at_ms: When it happened, milliseconds since the epoch.
        retry_until_ms: When it is given up.
        attempts: How often it was sent.
        refusals: How often the receiver refused it.
        last_attempt_at_ms: When it was sent last.
        last_status: The HTTP status of the last answer, if there was one.
        last_error: Why there was none, in a few words.
    """

    delivery_id: int
    event_id: str
    callback_id: str
    api_key: ApiKey
    session_id: SessionId
    url: str
    name: str
    body: str
    status: DeliveryStatus
    created_at_ms: int
    retry_until_ms: int
    attempts: int = 0
    refusals: int = 0
    last_attempt_at_ms: int | None = None
    last_status: int | None = None
    last_error: str | None = None


class Answer(Enum):
    """What an attempt came to."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """The receiver does not want this event, and will not want it later."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: the receiver's HTTP status, or why there is none."""

    status: int | None = None
    error: str | None = None

    @property
    def answer(self) -> Answer:
        """What it means: 2xx is success; 4xx is a refusal, but not "too slow" (408) and "too many" (429)."""
        if self.status is not None and 200 <= self.status < 300:
            return Answer.ACCEPTED
        if self.status is not None and 400 <= self.status < 500 and self.status not in (408, 429):
            return Answer.REFUSED
        return Answer.FAILED


def after_attempt(delivery: Delivery, outcome: Outcome, now: WallTime) -> tuple[Delivery, WallTime | None]:
    """Return a pending delivery as it stands after an attempt, and when the next one is due if it is still pending."""
    answer = outcome.answer
    attempted = replace(
        delivery,
        attempts=delivery.attempts + 1,
        refusals=delivery.refusals + (answer is Answer.REFUSED),
        last_attempt_at_ms=now,
        last_status=outcome.status,
        last_error=outcome.error,
    )
    if answer is Answer.ACCEPTED:
        return replace(attempted, status=DeliveryStatus.DELIVERED), None
    if attempted.refusals >= REFUSALS:
        return replace(attempted, status=DeliveryStatus.SET_ASIDE), None
    due = WallTime(now + 1000 * _delay_s(attempted.attempts))
    if due > delivery.retry_until_ms:
        return replace(attempted, status=DeliveryStatus.DEAD), None
    return attempted, due


def _delay_s(attempts: int) -> int:
    """Return the wait after so many attempts: 5, 10, 20 … 900 s."""
    return int(min(FIRST_DELAY_S * 2 ** min(attempts - 1, 16), LONGEST_DELAY_S))


def replayed(delivery: Delivery, now: WallTime) -> Delivery:
    """Return a delivery that is over as if it had just happened; its id, its event's id and its place stay."""
    return replace(
        delivery,
        status=DeliveryStatus.PENDING,
        attempts=0,
        refusals=0,
        retry_until_ms=now + 1000 * GIVE_UP_S,
    )


# ---- what can be registered


def check_event(group: str, event: str) -> tuple[CallbackGroup, str]:
    """Return a kind of event.

    Raises:
        InvalidParameterError: If there is no such kind.
    """
    known = {each.value: each for each in CallbackGroup}
    if group not in known:
        raise InvalidParameterError(f"The group of a callback is one of {', '.join(known)}.")
    events = EVENTS[known[group]]
    if event not in events:
        raise InvalidParameterError(f"The event of a callback for {group} is {' or '.join(events)}.")
    return known[group], event


_PLAIN = re.compile(r"[!-~]+", re.ASCII)


def check_url(text: str) -> str:
    """Return the address of a receiver.

    Raises:
        InvalidParameterError: If it is none that a callback could go to.
    """
    if len(text) > URL_CHARACTERS:
        raise InvalidParameterError(f"The address of a callback has at most {URL_CHARACTERS} characters.")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise InvalidParameterError("The address of a callback cannot be read.") from error
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise InvalidParameterError("The address of a callback begins with https:// or http:// and names a host.")
    if _PLAIN.fullmatch(text) is None or "\\" in text or port == 0:
        raise InvalidParameterError("The address of a callback has characters that must be encoded, or port 0.")
    if parts.username is not None or parts.password is not None or "#" in text:
        raise InvalidParameterError("The address of a callback holds neither user, password nor fragment.")
    return text

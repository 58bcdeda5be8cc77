"""What a request is answered with."""

from dataclasses import dataclass

from tertulia.domain.connection import Origin
from tertulia.domain.stream import Stream
from tertulia.errors import TertuliaError
from tertulia.ids import SubscriptionId


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to say but that it happened."""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The router's answer to an offer."""

    answer: str


@dataclass(frozen=True, slots=True)
class Published:
    """The router's answer, and the stream that came of the offer."""

    answer: str
    stream: Stream


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The name of the new subscription."""

    subscription_id: SubscriptionId


Result = Done | Negotiated | Published | Subscribed


@dataclass(frozen=True, slots=True)
class Answered:
    """A request succeeded."""

    origin: Origin
    result: Result


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that had to wait for the router failed."""

    origin: Origin
    error: TertuliaError

"""What the replies to requests carry."""

from collections.abc import Mapping
from typing import Final

from tertulia.wire.signalling.parts import Part, Stream


class Empty(Part, frozen=True):
    """Nothing to say but that it happened."""


class Negotiated(Part, frozen=True):
    """The answer to an offer."""

    answer: str


class Published(Part, frozen=True):
    """The answer to an offer, and the stream that came of it."""

    answer: str
    stream: Stream


class Subscribed(Part, frozen=True):
    """The name of the new subscription."""

    subscription_id: int


Result = Empty | Negotiated | Published | Subscribed
RESULTS: Final[Mapping[str, type[Result]]] = {
    "negotiate": Negotiated,
    "publish": Published,
    "republish": Negotiated,
    "unpublish": Empty,
    "updateStream": Empty,
    "subscribe": Subscribed,
    "updateSubscription": Empty,
    "unsubscribe": Empty,
    "releaseSlot": Empty,
    "signal": Empty,
    "setState": Empty,
    "forceDisconnect": Empty,
    "forceUnpublish": Empty,
    "forceMuteStream": Empty,
    "forceMuteAll": Empty,
    "disableForceMute": Empty,
    "leave": Empty,
}
"""What the reply to each request carries."""

"""The signalling socket: parses what clients send, hands it to the sessions, and sends what they say."""

from tertulia.adapters.websocket.codec import SignallingCodec
from tertulia.adapters.websocket.endpoint import SignallingEndpoint, SignallingLimits

__all__ = ["SignallingCodec", "SignallingEndpoint", "SignallingLimits"]

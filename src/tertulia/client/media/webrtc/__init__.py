"""A WebRTC stack for clients of an ICE-lite server: ICE, DTLS-SRTP, SDP and RTP on asyncio, without a thread."""

from tertulia.client.media.webrtc.transport import WebRtcPeer

__all__ = ["WebRtcPeer"]

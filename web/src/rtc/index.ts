/** The browser's WebRTC: a peer connection behind one interface, capture, and the first frame and sample of a binding. */
export type { Peer, PeerFactory, PeerState, Receiver, SendTracks, SentLines, SlotMids, SlotReceivers } from './peer.ts';
export { makeRtcPeer } from './rtc-peer.ts';
export { reached, whenPictureBegins, whenSoundBegins } from './beginnings.ts';
export { capture, captureScreen, listInputs, supportsWebRtc } from './capture.ts';
export type { CaptureWishes } from './capture.ts';

/** The browser's WebRTC: a peer connection behind one interface, capture, and the first frame and sample of a binding. */
export type { Peer, PeerFactory, PeerState, Receiver, SendTracks, SentLines, SlotMids, SlotReceivers } from './peer.ts';
export { makeRtcPeer } from './rtc-peer.ts';
export { reached, whenPictureBegins, whenSoundBegins } from './beginnings.ts';
export { capture, listDevices, supportsWebRtc } from './capture.ts';
export type { CaptureWishes } from './capture.ts';
export { canShareScreen, checkOutput, findOutput, listOutputs, routeSound, supportedCodecs } from './devices.ts';
export type { OutputDevice, SupportedCodecs } from './devices.ts';
export { canProcess, checkFilter, type Filter } from './filters.ts';
export { isRouted } from './layers.ts';
export { meterOf, type LevelMeter } from './sound-level.ts';
export { nextCamera, Sources } from './sources.ts';
export type { Kind, Processor, SourceWatcher, SourceWishes } from './sources.ts';
export type { OpusWishes } from './opus.ts';
export { merged, Rates, ReceivedCounters, receivedStats, SentEstimates, sentStats } from './media-stats.ts';
export type { PublisherStats, SenderStats, SubscriberStats, TransportStats } from './media-stats.ts';

/** Every message of the signalling wire, named and shaped as in contract/signalling.yaml. */

export type Reason =
  | 'clientDisconnected'
  | 'forceDisconnected'
  | 'networkDisconnected'
  | 'forceUnpublished'
  | 'mediaStopped'
  | 'mediaIdle';

export type Role = 'subscriber' | 'publisher' | 'publisheronly' | 'moderator';

export type VideoType = 'camera' | 'screen' | 'custom';

export interface WireConnection {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly creationTime: number;
  /** From the token. */
  readonly data: string;
  /** What the client said of itself; nobody vouches for it. */
  readonly clientData?: string;
}

export interface Dimensions {
  readonly width: number;
  readonly height: number;
}

export interface WireStream {
  readonly id: string;
  readonly connectionId: string;
  /** Milliseconds since the epoch. */
  readonly creationTime: number;
  readonly name: string;
  readonly initials?: string;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly hasCaptions: boolean;
  readonly videoType?: VideoType;
  readonly videoDimensions: Dimensions;
  readonly frameRate?: number;
}

/** 1 where the role allows it, 0 where not. */
export interface WireCapabilities {
  readonly publish: number;
  readonly subscribe: number;
  readonly signal: number;
  readonly forceDisconnect: number;
  readonly forceUnpublish: number;
  readonly forceMute: number;
}

export interface WireError {
  readonly name: string;
  readonly code: number;
  readonly message: string;
}

/** One receive-only audio and one video line that share an msid; `slot` counts them from 0. */
export interface SlotPair {
  readonly slot: number;
  readonly audioMid: string;
  readonly videoMid: string;
}

/**
 * A stream in a slot pair of the transport of that epoch; on another it means nothing. The timestamps are the first that
 * media of this binding can carry (mod 2^32).
 */
export interface Binding {
  readonly subscriptionId: number;
  readonly epoch: number;
  readonly slot: number;
  readonly generation: number;
  readonly audioRtpTimestamp?: number;
  readonly videoRtpTimestamp?: number;
}

export interface IceServer {
  readonly urls: readonly string[];
  readonly username?: string;
  readonly credential?: string;
}

/** An archive of the session that runs, or has just stopped. */
export interface WireArchive {
  readonly id: string;
  readonly name?: string;
}

export interface Snapshot {
  readonly connections: readonly WireConnection[];
  readonly streams: readonly WireStream[];
  readonly number: number;
  /** True while a moderator's mute of the whole session stands. */
  readonly muted?: boolean;
  /** The shared state of the session; absent if it is empty. */
  readonly state?: Readonly<Record<string, string>>;
  /** Those that run. */
  readonly archives?: readonly WireArchive[];
}

/** What is different in the shared state: key to text, null for a key that is gone. */
export type StateValues = Readonly<Record<string, string | null>>;

// ---- opening

export interface Join {
  readonly type: 'join';
  readonly token: string;
  readonly sessionId?: string;
  readonly apiKey?: string;
  readonly connectionEventsSuppressed?: boolean;
  /** Whether what this client sends is encrypted end to end. */
  readonly encrypts?: boolean;
  /** For the others to read; at most 1,000 characters. */
  readonly clientData?: string;
  readonly client?: { readonly name: string; readonly version: string };
  /** Whether this client understands `audioSlot`. */
  readonly audioSlots?: boolean;
}

export interface Resume {
  readonly type: 'resume';
  readonly connectionId: string;
  readonly resumeKey: string;
  /** Number of the last event handled. */
  readonly after: number;
  /** Whether this client understands `audioSlot`. */
  readonly audioSlots?: boolean;
}

export interface Joined extends Snapshot {
  readonly type: 'joined';
  readonly connection: WireConnection;
  readonly role: Role;
  readonly capabilities: WireCapabilities;
  readonly resumeKey: string;
  readonly heartbeatS: number;
  readonly reconnectWindowS: number;
  readonly iceServers: readonly IceServer[];
}

export interface Resumed {
  readonly type: 'resumed';
  readonly resumeKey: string;
  /** The transport that the server holds; 0 when it holds none. */
  readonly epoch: number;
  readonly bindings: readonly Binding[];
  /** Present only when the log no longer reaches back to the last event handled. */
  readonly snapshot?: Snapshot;
}

export interface Refused {
  readonly type: 'refused';
  readonly error: WireError;
}

// ---- requests and what their replies carry

interface Offer {
  /** Counts the client's peer connections from 1. */
  readonly epoch: number;
  readonly offer: string;
  /** The pairs that are new in this offer. */
  readonly slots: readonly SlotPair[];
}

interface PublishedMids {
  readonly audioMid?: string;
  readonly videoMid?: string;
}

/** What `publish` says of the stream beside its lines. */
export interface StreamDescription {
  readonly name: string;
  readonly initials?: string;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly hasCaptions?: boolean;
  readonly videoType?: VideoType;
  readonly videoDimensions: Dimensions;
  readonly frameRate?: number;
  /** Absent: true. */
  readonly audioFallback?: boolean;
}

export interface StreamUpdate {
  readonly hasAudio?: boolean;
  readonly hasVideo?: boolean;
  readonly hasCaptions?: boolean;
  readonly videoDimensions?: Dimensions;
  readonly videoType?: VideoType;
  /** The video stops, or is back, because of the publisher's own network. */
  readonly forQuality?: boolean;
}

/** What a subscriber wants of a stream: its media, and a picture of about that size and rate. */
export interface SubscriptionWishes {
  readonly audio: boolean;
  readonly video: boolean;
  readonly resolution?: Dimensions;
  readonly frameRate?: number;
}

type Nothing = Readonly<Record<never, unknown>>;

/** Request type -> its fields and the result of its reply. */
export interface Requests {
  negotiate: { fields: Offer; result: { readonly answer: string } };
  publish: {
    fields: Offer & PublishedMids & StreamDescription;
    result: { readonly answer: string; readonly stream: WireStream };
  };
  republish: { fields: Offer & PublishedMids & { readonly streamId: string }; result: { readonly answer: string } };
  unpublish: { fields: { readonly streamId: string; readonly reason?: Reason }; result: Nothing };
  updateStream: { fields: StreamUpdate & { readonly streamId: string }; result: Nothing };
  subscribe: {
    fields: SubscriptionWishes & { readonly streamId: string };
    result: { readonly subscriptionId: number };
  };
  updateSubscription: {
    fields: SubscriptionWishes & { readonly subscriptionId: number };
    result: Nothing;
  };
  unsubscribe: { fields: { readonly subscriptionId: number }; result: Nothing };
  releaseSlot: { fields: { readonly slot: number; readonly generation: number }; result: Nothing };
  signal: { fields: { readonly to?: string; readonly signalType?: string; readonly data?: string }; result: Nothing };
  setState: { fields: { readonly values: StateValues }; result: Nothing };
  forceDisconnect: { fields: { readonly connectionId: string }; result: Nothing };
  forceUnpublish: { fields: { readonly streamId: string }; result: Nothing };
  forceMuteStream: { fields: { readonly streamId: string }; result: Nothing };
  forceMuteAll: { fields: { readonly excludedStreamIds: readonly string[] }; result: Nothing };
  disableForceMute: { fields: Nothing; result: Nothing };
  leave: { fields: Nothing; result: Nothing };
}

export type RequestType = keyof Requests;
export type RequestOf<T extends RequestType> = { readonly type: T } & Requests[T]['fields'];
export type ResultOf<T extends RequestType> = Requests[T]['result'];
export type AnyRequest = { [T in RequestType]: RequestOf<T> }[RequestType];

/** From either side: to be answered with `pong` at once. */
export interface Ping {
  readonly type: 'ping';
}

/** From either side: the answer to a ping. */
export interface Pong {
  readonly type: 'pong';
}

/** What the network of an own stream bears, in bit/s; 0 where the browser does not say. */
export interface SenderStatsReport extends SenderEstimates {
  readonly type: 'senderStats';
  readonly streamId: string;
}

/** Packets of a subscription's video come, and none of its frames is decoded: its publisher is asked for a key frame. */
export interface StalledVideoReport {
  readonly type: 'videoStalled';
  readonly subscriptionId: number;
}

export interface SenderEstimates {
  readonly maxAllocatedBitrate: number;
  readonly estimatedBandwidth: number;
}

export type ClientBody = Join | Resume | Ping | Pong | SenderStatsReport | StalledVideoReport | AnyRequest;

// ---- notices (number 0)

export interface Reply {
  readonly type: 'reply';
  readonly id: number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: WireError;
}

export interface Bound {
  readonly type: 'bound';
  readonly binding: Binding;
}

export interface Unbound {
  readonly type: 'unbound';
  readonly subscriptionId: number;
  readonly slot: number;
  readonly generation: number;
}

/** The audio line of a pair carries the sound of a subscription; without one: nothing. */
export interface AudioSlot {
  readonly type: 'audioSlot';
  readonly epoch: number;
  readonly slot: number;
  readonly subscriptionId?: number;
  readonly audioRtpTimestamp?: number;
}

export interface SlotsNeeded {
  readonly type: 'slotsNeeded';
  /** How many pairs are wanted in all. */
  readonly pairs: number;
}

export interface SubscriptionVideo {
  readonly type: 'subscriptionVideo';
  readonly subscriptionId: number;
  readonly enabled: boolean;
  readonly reason: string;
}

/** Words of a subscription's stream. */
export interface Caption {
  readonly type: 'caption';
  readonly subscriptionId: number;
  readonly caption: string;
  /** A later caption replaces one that is not final. */
  readonly isFinal: boolean;
}

/** The router is about to leave the video out for bandwidth, or will not after all. */
export interface SubscriptionVideoWarning {
  readonly type: 'subscriptionVideoWarning';
  readonly subscriptionId: number;
  readonly active: boolean;
}

/** What the network of a subscription's publisher bears, as its client has said last. */
export interface SenderStats extends SenderEstimates {
  readonly type: 'senderStats';
  readonly subscriptionId: number;
}

/** Nobody needs these layers of an own stream's video; all others are to be sent. */
export interface LayersPaused {
  readonly type: 'layersPaused';
  readonly streamId: string;
  readonly rids: readonly string[];
}

export interface MediaFailed {
  readonly type: 'mediaFailed';
  readonly epoch: number;
  readonly message: string;
}

export interface Disconnected {
  readonly type: 'disconnected';
  readonly reason: Reason;
}

export type Notice =
  | Reply
  | Ping
  | Pong
  | Bound
  | Unbound
  | AudioSlot
  | SlotsNeeded
  | SubscriptionVideo
  | Caption
  | SubscriptionVideoWarning
  | SenderStats
  | LayersPaused
  | MediaFailed
  | Disconnected;

// ---- events (numbered)

export type StreamProperty = 'hasAudio' | 'hasVideo' | 'hasCaptions' | 'videoDimensions' | 'videoType';

export interface SignalReceived {
  readonly type: 'signal';
  /** A connection id; absent when the REST API sent it. */
  readonly from?: string;
  readonly signalType?: string;
  readonly data?: string;
}

export type SessionEvent =
  | { readonly type: 'connectionCreated'; readonly connection: WireConnection }
  | { readonly type: 'connectionDestroyed'; readonly connectionId: string; readonly reason: Reason }
  | { readonly type: 'connectionInterrupted'; readonly connectionId: string }
  | { readonly type: 'connectionRestored'; readonly connectionId: string }
  | { readonly type: 'streamCreated'; readonly stream: WireStream }
  | {
      readonly type: 'streamDestroyed';
      readonly streamId: string;
      readonly connectionId: string;
      readonly reason: Reason;
    }
  | {
      readonly type: 'streamPropertyChanged';
      readonly streamId: string;
      readonly property: StreamProperty;
      readonly oldValue: unknown;
      readonly newValue: unknown;
      readonly forQuality?: boolean;
    }
  | { readonly type: 'archiveStarted' | 'archiveStopped'; readonly archive: WireArchive }
  | { readonly type: 'muteForced'; readonly active: boolean }
  | { readonly type: 'streamMuted'; readonly streamId: string }
  | { readonly type: 'stateChanged'; readonly values: StateValues }
  | SignalReceived;

export type ServerBody = Joined | Resumed | Refused | Notice | SessionEvent;

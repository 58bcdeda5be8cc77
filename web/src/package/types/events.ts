/** What handlers get, and which events there are. */
import type { PublisherStatsContainer, SubscriberStats } from './media.ts';
import type { Publisher } from './publisher.ts';
import type { Session } from './session.ts';
import type { Subscriber } from './subscriber.ts';
import type { Connection, Dimensions, Stream } from './values.ts';

/** What every event has. */
export interface Event<Type extends string = string, Target = unknown> {
  readonly type: Type;
  /** What dispatched it. */
  readonly target: Target;
  readonly cancelable: boolean;
  /** Keeps the default behaviour from happening; of use before the handler returns. */
  preventDefault(): void;
  isDefaultPrevented(): boolean;
}

export interface SessionConnectEvent extends Event<'sessionConnected', Session> {
  /** @deprecated Empty; each is told by an event of its own. */
  readonly connections: readonly Connection[];
  /** @deprecated Empty; each is told by an event of its own. */
  readonly streams: readonly Stream[];
}

export interface SessionDisconnectEvent extends Event<'sessionDisconnected', Session> {
  /** `clientDisconnected`, `forceDisconnected`, `networkDisconnected`, `mediaIdle`. */
  readonly reason: string;
}

export interface ConnectionCreatedEvent extends Event<'connectionCreated', Session> {
  readonly connection: Connection;
}

export interface ConnectionDestroyedEvent extends Event<'connectionDestroyed', Session> {
  readonly connection: Connection;
  /** `clientDisconnected`, `forceDisconnected`, `networkDisconnected`. */
  readonly reason: string;
}

export interface StreamCreatedEvent<Target = Session> extends Event<'streamCreated', Target> {
  readonly stream: Stream;
}

export interface StreamDestroyedEvent<Target = Session> extends Event<'streamDestroyed', Target> {
  readonly stream: Stream;
  /** `clientDisconnected`, `forceDisconnected`, `forceUnpublished`, `mediaStopped`, `networkDisconnected`. */
  readonly reason: string;
}

export type StreamEvent<Target = Session> = StreamCreatedEvent<Target> | StreamDestroyedEvent<Target>;

interface PropertyChange<Property extends string, Value> {
  readonly stream: Stream;
  readonly changedProperty: Property;
  readonly oldValue: Value;
  readonly newValue: Value;
}

/** Told apart by `changedProperty`. */
export type StreamPropertyChangedEvent<Target = Session> = Event<'streamPropertyChanged', Target> &
  (
    | PropertyChange<'hasAudio', boolean>
    | PropertyChange<'hasVideo', boolean>
    | PropertyChange<'hasCaptions', boolean>
    | PropertyChange<'videoDimensions', Dimensions>
    | PropertyChange<'videoType', string | undefined>
  );

/** `type` is `signal`, or `signal:` and the signal's own type. */
export interface SignalEvent extends Event<string, Session> {
  readonly data?: string | undefined;
  /** The sender; null when the server's API sent it. */
  readonly from: Connection | null;
}

export interface ArchiveEvent<Type extends string = string> extends Event<Type, Session> {
  readonly id: string;
  readonly name: string;
}

/** On a Session, `active` says whether it is muted; a Publisher's has none. */
export interface MuteForcedEvent<Target = Session> extends Event<'muteForced', Target> {
  readonly active?: boolean | undefined;
}

export interface CpuPerformanceChangedEvent extends Event<'cpuPerformanceChanged', Session> {
  readonly cpuPerformanceState: 'nominal' | 'fair' | 'serious' | 'critical';
}

/** `target` is the object concerned. */
export interface ExceptionEvent extends Event<'exception'> {
  readonly code: number;
  readonly title: string;
  readonly message: string;
}

export interface AccessDeniedEvent extends Event<'accessDenied', Publisher> {
  /** Begins with `Camera` or `Microphone`. */
  readonly message: string;
}

export interface VideoElementCreatedEvent<Target> extends Event<'videoElementCreated', Target> {
  readonly element: HTMLVideoElement;
}

export interface MediaStreamAvailableEvent<Target> extends Event<'mediaStreamAvailable', Target> {
  readonly mediaStream: MediaStream;
}

export interface MediaStoppedEvent extends Event<'mediaStopped', Publisher> {
  /** Undefined when everything has ended. */
  readonly track: MediaStreamTrack | undefined;
}

export interface DestroyedEvent<Target> extends Event<'destroyed', Target> {
  readonly reason?: string | undefined;
}

export interface AudioInputDeviceChangedEvent extends Event<'audioInputDeviceChanged', Publisher> {
  readonly device: { readonly deviceId: string; readonly label: string };
}

export interface AudioLevelUpdatedEvent<Target> extends Event<'audioLevelUpdated', Target> {
  /** A linear amplitude from 0 to 1. */
  readonly audioLevel: number;
}

export interface VideoDimensionsChangedEvent<Target> extends Event<'videoDimensionsChanged', Target> {
  readonly oldValue: Dimensions;
  readonly newValue: Dimensions;
}

export interface VideoEnabledChangedEvent<Type extends string, Target> extends Event<Type, Target> {
  /** `publishVideo`, `quality`, `subscribeToVideo`, `codecNotSupported`, `codecChanged`. */
  readonly reason: string;
}

export interface CaptionReceivedEvent extends Event<'captionReceived', Subscriber> {
  readonly streamId: string;
  readonly caption: string;
  /** False for a text that another will replace. */
  readonly isFinal: boolean;
}

export interface QualityScoreChangedEvent extends Event<'qualityScoreChanged', Subscriber> {
  /** From 1 (bad) to 5 (excellent); absent for a medium that is not subscribed to. */
  readonly qualityScore: { readonly audioQualityScore?: number; readonly videoQualityScore?: number };
}

/** `videoQualityChanged`, `networkConditionChanged`. */
export interface PublisherQualityEvent<Type extends string> extends Event<Type, Publisher> {
  readonly reason: string;
  readonly statsContainer: PublisherStatsContainer;
}

/** `videoQualityChanged`, `networkConditionChanged`. */
export interface SubscriberQualityEvent<Type extends string> extends Event<Type, Subscriber> {
  readonly reason: string;
  readonly stats: SubscriberStats;
}

/** What a Session dispatches. */
export interface SessionEvents {
  sessionConnected: SessionConnectEvent;
  /** By default, every Subscriber is destroyed. */
  sessionDisconnected: SessionDisconnectEvent;
  sessionReconnecting: Event<'sessionReconnecting', Session>;
  sessionReconnected: Event<'sessionReconnected', Session>;
  connectionCreated: ConnectionCreatedEvent;
  connectionDestroyed: ConnectionDestroyedEvent;
  streamCreated: StreamCreatedEvent;
  /** By default, the Subscribers of the stream are destroyed. */
  streamDestroyed: StreamDestroyedEvent;
  streamPropertyChanged: StreamPropertyChangedEvent;
  signal: SignalEvent;
  /** Signals of one type. */
  [typed: `signal:${string}`]: SignalEvent;
  archiveStarted: ArchiveEvent<'archiveStarted'>;
  archiveStopped: ArchiveEvent<'archiveStopped'>;
  muteForced: MuteForcedEvent;
  cpuPerformanceChanged: CpuPerformanceChangedEvent;
}

/** What a Publisher dispatches. */
export interface PublisherEvents {
  /** By default, a hint is shown in the element. */
  accessDialogOpened: Event<'accessDialogOpened', Publisher>;
  accessDialogClosed: Event<'accessDialogClosed', Publisher>;
  accessAllowed: Event<'accessAllowed', Publisher>;
  /** By default, the element says so. */
  accessDenied: AccessDeniedEvent;
  videoElementCreated: VideoElementCreatedEvent<Publisher>;
  mediaStreamAvailable: MediaStreamAvailableEvent<Publisher>;
  loaded: Event<'loaded', Publisher>;
  streamCreated: StreamCreatedEvent<Publisher>;
  /** By default, the Publisher is destroyed. */
  streamDestroyed: StreamDestroyedEvent<Publisher>;
  destroyed: DestroyedEvent<Publisher>;
  /** By default, the Publisher is destroyed. */
  mediaStopped: MediaStoppedEvent;
  audioInputDeviceChanged: AudioInputDeviceChangedEvent;
  audioLevelUpdated: AudioLevelUpdatedEvent<Publisher>;
  videoDimensionsChanged: VideoDimensionsChangedEvent<Publisher>;
  videoDisableWarning: Event<'videoDisableWarning', Publisher>;
  videoDisableWarningLifted: Event<'videoDisableWarningLifted', Publisher>;
  videoDisabled: VideoEnabledChangedEvent<'videoDisabled', Publisher>;
  videoEnabled: VideoEnabledChangedEvent<'videoEnabled', Publisher>;
  videoQualityChanged: PublisherQualityEvent<'videoQualityChanged'>;
  networkConditionChanged: PublisherQualityEvent<'networkConditionChanged'>;
  muteForced: MuteForcedEvent<Publisher>;
}

/** What a Subscriber dispatches. */
export interface SubscriberEvents {
  connected: Event<'connected', Subscriber>;
  disconnected: Event<'disconnected', Subscriber>;
  destroyed: DestroyedEvent<Subscriber>;
  videoElementCreated: VideoElementCreatedEvent<Subscriber>;
  mediaStreamAvailable: MediaStreamAvailableEvent<Subscriber>;
  loaded: Event<'loaded', Subscriber>;
  audioBlocked: Event<'audioBlocked', Subscriber>;
  audioUnblocked: Event<'audioUnblocked', Subscriber>;
  audioLevelUpdated: AudioLevelUpdatedEvent<Subscriber>;
  videoDimensionsChanged: VideoDimensionsChangedEvent<Subscriber>;
  videoDisabled: VideoEnabledChangedEvent<'videoDisabled', Subscriber>;
  videoEnabled: VideoEnabledChangedEvent<'videoEnabled', Subscriber>;
  videoDisableWarning: Event<'videoDisableWarning', Subscriber>;
  videoDisableWarningLifted: Event<'videoDisableWarningLifted', Subscriber>;
  captionReceived: CaptionReceivedEvent;
  encryptionSecretMismatch: Event<'encryptionSecretMismatch', Subscriber>;
  encryptionSecretMatch: Event<'encryptionSecretMatch', Subscriber>;
  qualityScoreChanged: QualityScoreChangedEvent;
  videoQualityChanged: SubscriberQualityEvent<'videoQualityChanged'>;
  networkConditionChanged: SubscriberQualityEvent<'networkConditionChanged'>;
}

export type SessionEventHandlers = { [Name in keyof SessionEvents]?: (event: SessionEvents[Name]) => void };
export type PublisherEventHandlers = { [Name in keyof PublisherEvents]?: (event: PublisherEvents[Name]) => void };
export type SubscriberEventHandlers = { [Name in keyof SubscriberEvents]?: (event: SubscriberEvents[Name]) => void };

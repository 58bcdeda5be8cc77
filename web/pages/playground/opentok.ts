// The members of the public OpenTok API that the playground uses. Types only: the page runs on the script tag, as any
// application would, and is compiled against nothing of the client.

export type Completion = (error?: OpenTokError | null) => void;

export interface OpenTokError {
  readonly name: string;
  readonly message: string;
  readonly code?: number;
}

export interface Connection {
  readonly connectionId: string;
  /** Milliseconds since the epoch. */
  readonly creationTime: number;
  /** What the token carries about its holder; empty when it carries nothing. */
  readonly data: string;
}

export interface Stream {
  readonly streamId: string;
  readonly connection: Connection;
  readonly name: string;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly videoType?: string;
}

/** 1 where the token's role allows it, else 0. */
export interface Capabilities {
  readonly publish: number;
  readonly subscribe: number;
  readonly forceDisconnect: number;
}

export interface OpenTokEvent {
  readonly type: string;
  preventDefault(): void;
}

export interface ReasonEvent extends OpenTokEvent {
  readonly reason: string;
}

export interface ConnectionEvent extends OpenTokEvent {
  readonly connection: Connection;
}

export interface StreamEvent extends OpenTokEvent {
  readonly stream: Stream;
}

export interface StreamPropertyChangedEvent extends StreamEvent {
  readonly changedProperty: string;
  readonly oldValue: unknown;
  readonly newValue: unknown;
}

export interface SignalEvent extends OpenTokEvent {
  readonly data?: string;
  /** null when the server sent it. */
  readonly from: Connection | null;
}

export interface VideoElementCreatedEvent extends OpenTokEvent {
  readonly element: HTMLVideoElement;
}

export interface ExceptionEvent extends OpenTokEvent {
  readonly code: number;
  readonly title: string;
  readonly message: string;
}

export interface SessionEvents {
  sessionConnected: OpenTokEvent;
  sessionDisconnected: ReasonEvent;
  sessionReconnecting: OpenTokEvent;
  sessionReconnected: OpenTokEvent;
  connectionCreated: ConnectionEvent;
  connectionDestroyed: ConnectionEvent & ReasonEvent;
  streamCreated: StreamEvent;
  streamDestroyed: StreamEvent & ReasonEvent;
  streamPropertyChanged: StreamPropertyChangedEvent;
  signal: SignalEvent;
}

export interface PublisherEvents {
  accessAllowed: OpenTokEvent;
  accessDenied: OpenTokEvent;
  accessDialogOpened: OpenTokEvent;
  accessDialogClosed: OpenTokEvent;
  streamCreated: StreamEvent;
  streamDestroyed: StreamEvent & ReasonEvent;
  mediaStopped: OpenTokEvent;
  destroyed: OpenTokEvent;
}

export interface SubscriberEvents {
  connected: OpenTokEvent;
  disconnected: OpenTokEvent;
  destroyed: OpenTokEvent;
  videoElementCreated: VideoElementCreatedEvent;
  videoDisabled: ReasonEvent;
  videoEnabled: ReasonEvent;
  videoDisableWarning: OpenTokEvent;
  videoDisableWarningLifted: OpenTokEvent;
}

export interface Emitter<Events> {
  on<Type extends keyof Events & string>(type: Type, handler: (event: Events[Type]) => void): this;
}

export interface WidgetOptions {
  insertMode?: 'replace' | 'after' | 'before' | 'append';
  width?: number | string;
  height?: number | string;
  showControls?: boolean;
  fitMode?: 'cover' | 'contain';
}

export interface PublisherOptions extends WidgetOptions {
  name?: string;
  publishAudio?: boolean;
  publishVideo?: boolean;
  /** null: none. */
  audioSource?: string | null;
  videoSource?: string | null;
  resolution?: string;
}

export interface Publisher extends Emitter<PublisherEvents> {
  publishAudio(value: boolean): unknown;
  publishVideo(value: boolean): unknown;
  destroy(): unknown;
}

export interface Subscriber extends Emitter<SubscriberEvents> {
  /** True while the browser holds the sound back until the user touches the page. */
  isAudioBlocked(): boolean;
}

export interface Signal {
  type: string;
  data: string;
  to?: Connection;
}

export interface Session extends Emitter<SessionEvents> {
  readonly connection?: Connection | null;
  readonly capabilities: Capabilities;
  connect(token: string, done: Completion): unknown;
  disconnect(): unknown;
  publish(publisher: Publisher, done: Completion): unknown;
  subscribe(stream: Stream, target: HTMLElement, options: WidgetOptions, done: Completion): Subscriber;
  signal(signal: Signal, done: Completion): unknown;
  forceDisconnect(connectionId: string, done: Completion): unknown;
}

export interface OpenTok extends Emitter<{ exception: ExceptionEvent }> {
  initSession(apiKey: string, sessionId: string): Session;
  initPublisher(target: HTMLElement, options: PublisherOptions, done: Completion): Publisher;
  unblockAudio(): Promise<void>;
}

/** The API that the page's script tag brought, or undefined when that script did not load. */
export function loadedOpenTok(): OpenTok | undefined {
  return (globalThis as { OT?: OpenTok }).OT;
}

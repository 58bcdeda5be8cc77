/** The event objects of the API, one class for each name in the documentation. */
import { logger } from '../logger.ts';
import type { Dimensions } from '../wire/index.ts';
import type { Connection, Stream } from './values.ts';

/** What every event has. */
export class Event {
  readonly type: string;
  /** The object that dispatched it; for `exception` in the second era, the object concerned. */
  target: unknown = undefined;
  readonly cancelable: boolean;
  #prevented = false;
  #over = false;

  constructor(type: string, cancelable = false) {
    this.type = type;
    this.cancelable = cancelable;
  }

  /** Keeps the default behaviour from happening; of use only inside a handler, before it returns. */
  preventDefault(): void {
    if (!this.cancelable) logger.warn(`${this.type} has no default behaviour that could be prevented.`);
    else if (this.#over) logger.warn(`preventDefault() on ${this.type} came after its handler had returned.`);
    else this.#prevented = true;
  }

  isDefaultPrevented(): boolean {
    return this.#prevented;
  }

  /** A handler is about to be called, which may prevent the default. */
  static open(event: unknown): void {
    if (isObject(event) && #over in event) event.#over = false; // applications dispatch objects of their own as well
  }

  /** The handler has returned; calls of preventDefault() change nothing until the next one is called. */
  static close(event: unknown): void {
    if (isObject(event) && #over in event) event.#over = true;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** `connections`, `streams`: everybody and everything in the first era, empty in the second, where single events follow. */
export class SessionConnectEvent extends Event {
  readonly groups: readonly never[] = [];

  constructor(
    readonly connections: readonly Connection[],
    readonly streams: readonly Stream[],
    readonly archives: readonly unknown[] = [],
  ) {
    super('sessionConnected');
  }
}

export class SessionDisconnectEvent extends Event {
  constructor(readonly reason: string) {
    super('sessionDisconnected', true);
  }
}

export class ConnectionEvent extends Event {
  readonly connections: readonly Connection[];

  constructor(
    type: 'connectionCreated' | 'connectionDestroyed',
    readonly connection: Connection,
    readonly reason?: string,
  ) {
    super(type);
    this.connections = [connection];
  }
}

export class StreamEvent extends Event {
  readonly streams: readonly Stream[];

  constructor(
    type: 'streamCreated' | 'streamDestroyed',
    readonly stream: Stream,
    readonly reason?: string,
  ) {
    super(type, type === 'streamDestroyed');
    this.streams = [stream];
  }
}

export class StreamPropertyChangedEvent extends Event {
  constructor(
    readonly stream: Stream,
    readonly changedProperty: string,
    readonly oldValue: unknown,
    readonly newValue: unknown,
  ) {
    super('streamPropertyChanged');
  }
}

/** On the Session, `active` says whether its mute state is on; on a Publisher it is undefined. */
export class MuteForcedEvent extends Event {
  constructor(readonly active?: boolean) {
    super('muteForced');
  }
}

/** `from` is null when the server API sent it. `fromConnection` is its name in the first era. */
export class SignalEvent extends Event {
  readonly fromConnection: Connection | null;

  constructor(
    type: string,
    /** A text; in the first era any JSON value. */
    readonly data: unknown,
    readonly from: Connection | null,
  ) {
    super(type);
    this.fromConnection = from;
  }
}

export class ExceptionEvent extends Event {
  constructor(
    readonly code: number,
    readonly title: string,
    readonly message: string,
    /** The object concerned. */
    readonly component: unknown,
  ) {
    super('exception');
  }
}

/** By default a hint in the element says what the browser asks; in the first era it cannot be prevented. */
export class AccessDialogOpenedEvent extends Event {
  constructor(cancelable = true) {
    super('accessDialogOpened', cancelable);
  }
}

export class AccessDeniedEvent extends Event {
  constructor(readonly message: string) {
    super('accessDenied', true);
  }
}

export class VideoElementCreatedEvent extends Event {
  constructor(readonly element: HTMLVideoElement) {
    super('videoElementCreated');
  }
}

export class MediaStreamAvailableEvent extends Event {
  constructor(readonly mediaStream: MediaStream) {
    super('mediaStreamAvailable');
  }
}

export class MediaStoppedEvent extends Event {
  constructor(readonly track: MediaStreamTrack | undefined) {
    super('mediaStopped', true);
  }
}

export class DestroyedEvent extends Event {
  constructor(readonly reason: string | undefined) {
    super('destroyed');
  }
}

export class VideoEnabledChangedEvent extends Event {
  constructor(
    type: 'videoEnabled' | 'videoDisabled',
    readonly reason: string,
  ) {
    super(type);
  }
}

export class AudioLevelUpdatedEvent extends Event {
  /** `audioLevel` is a linear amplitude from 0 to 1. */
  constructor(readonly audioLevel: number) {
    super('audioLevelUpdated');
  }
}

export class VideoDimensionsChangedEvent extends Event {
  constructor(
    readonly oldValue: Dimensions,
    readonly newValue: Dimensions,
  ) {
    super('videoDimensionsChanged');
  }
}

/** Another microphone took the place of one that is gone. */
export class AudioInputDeviceChangedEvent extends Event {
  constructor(readonly device: { readonly deviceId: string; readonly label: string }) {
    super('audioInputDeviceChanged');
  }
}

/** The pressure on the computer: nominal, fair, serious or critical. */
export class CpuPerformanceChangedEvent extends Event {
  constructor(readonly cpuPerformanceState: string) {
    super('cpuPerformanceChanged');
  }
}

/** From 1 (bad) to 5 (excellent); absent for a medium that is not subscribed to. */
export class QualityScoreChangedEvent extends Event {
  constructor(readonly qualityScore: { readonly audioQualityScore?: number; readonly videoQualityScore?: number }) {
    super('qualityScoreChanged');
  }
}

/** `stats` on a Subscriber, `statsContainer` on a Publisher. */
export class QualityChangedEvent extends Event {
  readonly stats?: unknown;
  readonly statsContainer?: unknown;

  constructor(
    type: 'videoQualityChanged' | 'networkConditionChanged',
    readonly reason: string,
    stats: { readonly stats: unknown } | { readonly statsContainer: unknown },
  ) {
    super(type);
    Object.assign(this, stats);
  }
}

/** An archive of the session, by its id and the name that it was given. */
export class ArchiveEvent extends Event {
  constructor(
    type: 'archiveStarted' | 'archiveStopped',
    readonly id: string,
    readonly name: string | undefined,
  ) {
    super(type);
  }
}

export class CaptionReceivedEvent extends Event {
  constructor(
    readonly streamId: string,
    readonly caption: string,
    readonly isFinal: boolean,
  ) {
    super('captionReceived');
  }
}

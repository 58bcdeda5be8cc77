/** The namespace object. */
import type { AudioOutputDevice, Device, ScreenSharingCapabilityResponse, SupportedCodecs } from './devices.ts';
import type { ExceptionEvent } from './events.ts';
import type { CompletionHandler, OTError, OTEventEmitter } from './handlers.ts';
import type { GetUserMediaProperties, PublisherProperties, SessionOptions, Target } from './options.ts';
import type { Publisher } from './publisher.ts';
import type { Session } from './session.ts';
import type { Subscriber } from './subscriber.ts';
import type { Collection } from './values.ts';

export interface InitPublisher {
  (target?: Target | null, properties?: PublisherProperties, done?: CompletionHandler): Publisher;
  (target: Target | null | undefined, done: CompletionHandler): Publisher;
  (properties: PublisherProperties, done?: CompletionHandler): Publisher;
  (done: CompletionHandler): Publisher;
  promise: {
    (target?: Target | null, properties?: PublisherProperties): Promise<Publisher>;
    (properties: PublisherProperties): Promise<Publisher>;
  };
}

export interface HasMediaProcessorSupport {
  (mediaType?: 'audio' | 'video' | 'both'): boolean;
  promise(mediaType?: 'audio' | 'video' | 'both'): Promise<boolean>;
}

/** `OT`. What a member does is written in `../names.ts`. */
export interface OpenTok extends OTEventEmitter<{ exception: ExceptionEvent }> {
  readonly NONE: number;
  readonly ERROR: number;
  readonly WARN: number;
  readonly INFO: number;
  readonly LOG: number;
  readonly DEBUG: number;
  readonly HAS_REQUIREMENTS: number;
  readonly NOT_HAS_REQUIREMENTS: number;
  /** @deprecated Errors are ordinary `Error` objects. */
  readonly Error: new (name: string, message: string, code?: number) => OTError;
  readonly sessions: Collection<Session>;
  readonly publishers: Collection<Publisher>;
  readonly subscribers: Collection<Subscriber>;
  /** Undocumented, and used by wrappers. */
  readonly $: { eventing(object: object): void };
  readonly analytics: { logEvent(...args: unknown[]): void };
  readonly properties: { readonly version: string; readonly [name: string]: unknown };

  setServerUrl(url: string): void;

  initSession(apiKey: string | number, sessionId: string, options?: SessionOptions): Session;
  /** @deprecated The key belongs here. */
  initSession(sessionId: string): Session;
  readonly initPublisher: InitPublisher;

  checkSystemRequirements(): number;
  upgradeSystemRequirements(): void;
  getDevices(done?: (error: OTError | undefined, devices?: Device[]) => void): Promise<Device[]>;
  getAudioOutputDevices(): Promise<AudioOutputDevice[]>;
  getActiveAudioOutputDevice(): Promise<AudioOutputDevice>;
  setAudioOutputDevice(deviceId: string): Promise<void>;
  getUserMedia(properties?: GetUserMediaProperties): Promise<MediaStream>;
  getSupportedCodecs(): Promise<SupportedCodecs>;
  checkScreenSharingCapability(
    done?: (response: ScreenSharingCapabilityResponse) => void,
  ): Promise<ScreenSharingCapabilityResponse>;
  /** @deprecated Does nothing: no extension is needed. */
  registerScreenSharingExtension(kind: string, id: string, version: number): void;
  readonly hasMediaProcessorSupport: HasMediaProcessorSupport;
  hasEndToEndEncryptionSupport(): boolean;
  setEncryptionWorkerUrl(url: string): void;
  setProxyUrl(url: string): void;
  unblockAudio(): Promise<void>;
  setLogLevel(level: number): unknown;
  log(message: unknown): void;
  reportIssue(done?: (error?: OTError, issueId?: string) => void): Promise<string>;
}

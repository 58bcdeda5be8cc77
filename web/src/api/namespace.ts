/** The namespace object: `OT`, and `TB`, which is the same. */
import { canEncrypt } from '../encryption/index.ts';
import { asOTError, OTError } from '../errors.ts';
import { logger, setLevel } from '../logger.ts';
import { userMediaWishes, type Properties } from '../options.ts';
import {
  canProcess,
  canShareScreen,
  capture,
  checkOutput,
  findOutput,
  listDevices,
  listOutputs,
  supportedCodecs,
  supportsWebRtc,
  type OutputDevice,
  type SupportedCodecs,
} from '../rtc/index.ts';
import { sessionArguments, viewArguments, withoutApiKey } from './arguments.ts';
import { Collection } from './collection.ts';
import { SHARED_CONSTANTS } from './constants.ts';
import { Emitter } from './emitter.ts';
import { reportIssue } from './issues.ts';
import type { Page } from './page.ts';
import { settle, withPromise, type Done } from './promises.ts';
import { Publisher } from './publisher.ts';
import { Session, type SessionOptions } from './session.ts';
import { showRequirements } from './requirements.ts';
import { Subscriber } from './subscriber.ts';
import { addUnavailable } from './unavailable.ts';
import { Stream } from './values.ts';

const VERSION = '0.1.0';

export interface Device {
  readonly kind: 'audioInput' | 'videoInput';
  readonly deviceId: string;
  readonly label: string;
}

export interface ScreenSharingCapability {
  readonly supported: boolean;
  readonly supportedSources: { readonly screen?: boolean; readonly window?: boolean; readonly application?: boolean };
  readonly extensionRequired: undefined;
  readonly extensionRegistered: undefined;
  readonly extensionInstalled: undefined;
}

export class Namespace extends Emitter {
  readonly Error = OTError;
  readonly sessions: Collection<Session>;
  readonly publishers: Collection<Publisher>;
  readonly subscribers: Collection<Subscriber>;
  readonly properties = { version: VERSION, buildHash: '', apiURL: '', assetURL: '', cssURL: '' };
  /** What some applications report to; goes nowhere. */
  readonly analytics = { logEvent: (): void => undefined };
  /** Helpers that some wrappers use. */
  readonly $: { eventing(object: object): void };

  /** Makes a Publisher, whose preview asks for camera and microphone at once. */
  readonly initPublisher = withPromise((...args) => this.initPublisherBy(args));

  protected readonly page: Page;

  constructor(page: Page) {
    super(page.era);
    Object.assign(this, SHARED_CONSTANTS);
    this.page = page;
    this.sessions = new Collection(() => page.sessions);
    this.publishers = new Collection(() => page.publishers);
    this.subscribers = new Collection(() => page.subscribers);
    this.$ = {
      eventing: (object) => {
        mixIn(object, new Emitter(page.era));
      },
    };
  }

  get APIKEY(): string {
    return this.page.apiKey;
  }

  /** `(apiKey, sessionId [, options])`, or the older `(sessionId)`. No network traffic. */
  initSession(...args: readonly unknown[]): Session {
    const { apiKey, sessionId } = sessionArguments(args);
    const { era, sessions } = this.page;
    if (this.checkSystemRequirements() === 0) this.upgradeSystemRequirements();
    for (const known of sessions) {
      const sameKey = apiKey === undefined || known.apiKey === undefined || known.apiKey === apiKey;
      if (known.sessionId !== sessionId || sessionId === '' || !sameKey) continue;
      known.apiKey ??= apiKey;
      return known;
    }
    const options = (args[2] ?? {}) as SessionOptions;
    const session = era.makes.session(this.page, apiKey, sessionId ?? '', options);
    sessions.add(session);
    return session;
  }

  /** 1 where this browser can take part in sessions, else 0. */
  checkSystemRequirements(): number {
    return supportsWebRtc() ? SHARED_CONSTANTS.HAS_REQUIREMENTS : SHARED_CONSTANTS.NOT_HAS_REQUIREMENTS;
  }

  /** Tells the user, over the whole page, that another browser is needed. */
  upgradeSystemRequirements(): void {
    showRequirements();
  }

  /** The older name of `upgradeSystemRequirements`. */
  updateSystemRequirements(): void {
    this.upgradeSystemRequirements();
  }

  /** Cameras and microphones. Labels are empty until access was granted. */
  getDevices(done?: (error?: OTError, devices?: Device[]) => void): Promise<Device[]> {
    const work = listDevices('audioinput', 'videoinput').then(
      (inputs) =>
        inputs.map(({ kind, deviceId, label }): Device => ({
          kind: kind === 'audioinput' ? 'audioInput' : 'videoInput',
          deviceId,
          label,
        })),
      (thrown: unknown) => {
        throw asOTError(thrown, 'OT_NOT_SUPPORTED');
      },
    );
    return settle(work, done);
  }

  /** Camera and microphone by the capture options of a Publisher. Rejects as `initPublisher` does. */
  getUserMedia(properties: object = {}): Promise<MediaStream> {
    return settle(capture(userMediaWishes(properties as Properties)));
  }

  /** Loudspeakers and headphones. */
  getAudioOutputDevices(): Promise<OutputDevice[]> {
    return settle(
      listOutputs().catch((thrown: unknown) => {
        throw asOTError(thrown, 'OT_NOT_SUPPORTED');
      }),
    );
  }

  /** Where the sound of this page comes out; members are null where the browser does not tell. */
  getActiveAudioOutputDevice(): Promise<OutputDevice> {
    return settle(
      findOutput(this.page.audioOutput ?? '').catch((thrown: unknown) => {
        throw asOTError(thrown, 'OT_NOT_SUPPORTED');
      }),
    );
  }

  /** Lets the sound of every session in this page come out there. */
  setAudioOutputDevice(deviceId?: unknown): Promise<void> {
    return settle(
      checkOutput(deviceId).then(async (known) => {
        await Promise.all([...this.page.subscribers].map((subscriber) => subscriber._routeSound(known)));
        this.page.audioOutput = known;
      }),
    );
  }

  /** VP8, VP9 and H264, as far as this browser encodes and decodes them. */
  getSupportedCodecs(): Promise<SupportedCodecs> {
    return settle((async () => supportedCodecs())());
  }

  /** Whether the screen can be shared. No browser needs an extension for it any more. */
  checkScreenSharingCapability(done?: (answer: ScreenSharingCapability) => void): Promise<ScreenSharingCapability> {
    const supported = canShareScreen();
    const answer: ScreenSharingCapability = {
      supported,
      supportedSources: { screen: supported, window: supported, application: supported },
      extensionRequired: undefined,
      extensionRegistered: undefined,
      extensionInstalled: undefined,
    };
    return settle(Promise.resolve(answer), (_error, value) => {
      if (value !== undefined) done?.(value);
    });
  }

  /** Tells the server's operator that something went wrong; yields the id to refer to. */
  reportIssue(done?: Done<string>): Promise<string> {
    return settle(reportIssue(this.page, `tertulia ${VERSION}`), done);
  }

  /** Sends everything that is not media through a proxy; call it before anything else. */
  setProxyUrl(url?: unknown): void {
    this.page.proxyUrl = typeof url === 'string' && url !== '' ? url : null;
  }

  /** Where the server is, when the script was not loaded from it. */
  setServerUrl(url: string): void {
    this.page.serverUrl = url;
  }

  /** Prints at this level and below; see NONE, ERROR, WARN, INFO, LOG, DEBUG. */
  setLogLevel(level: number): number {
    return setLevel(level);
  }

  /** Prints when the level is LOG or DEBUG. */
  log(message: unknown): void {
    logger.log(message);
  }

  /** Lets all sound start that the browser's autoplay rule held back; call it inside a user's gesture. */
  unblockAudio(): Promise<void> {
    for (const subscriber of this.page.subscribers) subscriber._unblock();
    return Promise.resolve();
  }

  /** Whether a media processor can work on the frames of `video`, `audio` or `both`. */
  readonly hasMediaProcessorSupport = Object.assign(hasMediaProcessorSupport, {
    promise: async (mediaType?: unknown): Promise<boolean> => hasMediaProcessorSupport(mediaType),
  });

  /** Whether this browser can encrypt what it sends before it leaves the page. */
  hasEndToEndEncryptionSupport(): boolean {
    return canEncrypt();
  }

  /** Where the program that encrypts is, for pages whose content policy allows no worker from a blob; same origin only. */
  setEncryptionWorkerUrl(url?: unknown): void {
    this.page.encryptionWorkerUrl = typeof url === 'string' && url !== '' ? url : null;
  }

  /** Older browsers needed an extension to share the screen; nothing is to be done today. */
  registerScreenSharingExtension(): void {
    logger.debug('Screen sharing needs no extension.');
  }

  /** Runs `ready` as soon as the library is ready, which it is when this can be called. */
  onLoad(ready: () => void): void {
    void settle(Promise.resolve(), () => {
      ready();
    });
  }

  protected initPublisherBy(args: readonly unknown[]): Publisher {
    const { apiKey, rest } = withoutApiKey(args);
    if (apiKey !== undefined) this.page.apiKey ||= apiKey;
    const { target, properties, done } = viewArguments<Done>(rest);
    return this.page.era.makes.publisher(this.page, target, properties, done);
  }
}

function hasMediaProcessorSupport(mediaType: unknown = 'video'): boolean {
  const kinds =
    mediaType === 'both'
      ? (['audio', 'video'] as const)
      : mediaType === 'audio'
        ? (['audio'] as const)
        : (['video'] as const);
  return kinds.every(canProcess);
}

/** The namespace object of a page, with everything of its era; the page dispatches `exception` on it from now on. */
export function makeNamespace(page: Page): Namespace & typeof SHARED_CONSTANTS {
  const namespace = page.era.makes.namespace(page);
  addUnavailable(namespace, 'namespace');
  addUnavailable(Session.prototype, 'session');
  addUnavailable(Publisher.prototype, 'publisher');
  addUnavailable(Subscriber.prototype, 'subscriber');
  addUnavailable(Stream.prototype, 'stream');
  bindMethods(namespace);
  page.namespace = namespace;
  return namespace as Namespace & typeof SHARED_CONSTANTS;
}

/** Applications take methods off the object: `const { initSession } = OT`. */
function bindMethods(namespace: Namespace): void {
  let prototype = Object.getPrototypeOf(namespace) as object;
  while (prototype !== Object.prototype) {
    for (const name of Object.getOwnPropertyNames(prototype)) {
      const method: unknown = Object.getOwnPropertyDescriptor(prototype, name)?.value;
      if (typeof method !== 'function' || name === 'constructor' || Object.hasOwn(namespace, name)) continue;
      const value: unknown = method.bind(namespace);
      Object.defineProperty(namespace, name, { value, configurable: true, enumerable: true, writable: true });
    }
    prototype = Object.getPrototypeOf(prototype) as object;
  }
}

/** Gives `object` the methods of an emitter of its own. */
function mixIn(object: object, emitter: Emitter): void {
  for (const name of [
    'on',
    'once',
    'off',
    'addEventListener',
    'removeEventListener',
    'dispatchEvent',
    'trigger',
  ] as const) {
    const method = emitter[name].bind(emitter) as (...args: unknown[]) => unknown;
    Object.defineProperty(object, name, {
      configurable: true,
      value: (...args: unknown[]) => {
        method(...args);
        return object;
      },
    });
  }
}

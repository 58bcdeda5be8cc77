/** `TB`: the namespace object of the first era. */
import {
  fire,
  Namespace,
  queueJob,
  Event,
  showRequirements,
  type Page,
  type Publisher,
  type Session,
} from '../../api/index.ts';
import { logger } from '../../logger.ts';
import type { Build } from './build.ts';
import { V1_CONSTANTS } from './constants.ts';
import { deviceManagerOf } from './device-manager.ts';
import { watchEquipment } from './equipment.ts';
import { misuse, named } from './exceptions.ts';
import { makeLevelSetter, quietLog } from './levels.ts';
import { reportIssueOnce } from './issues.ts';
import { recorderManagerOf } from './recorder-manager.ts';
import { whenParsed } from './readiness.ts';

/** What `checkSystemRequirements` may be asked for; every browser that can take part has both. */
const FEATURES = ['h264', 'aec'];

export class NamespaceV1 extends Namespace {
  readonly #setLevel: (level: unknown) => void;

  constructor(page: Page, build: Build) {
    super(page);
    Object.assign(this, V1_CONSTANTS, build.levels);
    quietLog(build);
    this.#setLevel = makeLevelSetter(build, this.properties.version);
    Object.defineProperty(this, 'sessions', {
      get: () => Object.fromEntries([...page.sessions].map((session) => [session.sessionId, session])),
    });
    watchEquipment();
    whenParsed(() => {
      queueJob(() => {
        fire(this, new Event('envLoaded'));
      });
    });
  }

  /** `(sessionId)`, or `(apiKey, sessionId)` as pages of the second era have it. Throws without an id. */
  override initSession(...args: readonly unknown[]): Session {
    const id = args[1] ?? args[0];
    if (id === undefined || id === null || id === '') throw misuse('TB', 'initSession', 'the session id is missing');
    return super.initSession(...args);
  }

  /** 1 or 0; each feature that is not known is logged. */
  override checkSystemRequirements(...features: readonly unknown[]): number {
    for (const feature of features)
      if (!FEATURES.includes(String(feature).toLowerCase()))
        logger.error(`checkSystemRequirements: the feature ${String(feature)} is not known.`);
    return super.checkSystemRequirements();
  }

  /** Over the whole page, with a button that closes it, in an element with the id that pages of the time know. */
  override upgradeSystemRequirements(): void {
    whenParsed(() => {
      showRequirements('_upgradeFlash');
    });
  }

  /** Returns nothing. */
  override setLogLevel(level?: unknown): never {
    this.#setLevel(level);
    return undefined as never;
  }

  /** Runs `ready` when the document is parsed; at once if it is. */
  override onLoad(ready?: unknown): void {
    if (typeof ready !== 'function') return;
    whenParsed(() => {
      (ready as () => void)();
    });
  }

  /** `(description)`; see reportIssueOnce. Returns nothing. */
  override reportIssue(description?: unknown): never {
    reportIssueOnce(this.page, `tertulia ${this.properties.version}`, description);
    return undefined as never;
  }

  /** The page's one DeviceManager. Throws without a key. */
  initDeviceManager(apiKey?: unknown): object {
    this.#keyOf('initDeviceManager', apiKey);
    return deviceManagerOf(this.page);
  }

  /** The page's one RecorderManager. Throws without a key. */
  initRecorderManager(apiKey?: unknown): object {
    this.#keyOf('initRecorderManager', apiKey);
    return recorderManagerOf(this.page);
  }

  /** `(apiKey [, replaceElementId [, properties]])`; without a key of its own the page's is taken. */
  protected override initPublisherBy(args: readonly unknown[]): Publisher {
    const [first, second, ...rest] = args;
    const isText = typeof first === 'string' || typeof first === 'number';
    // As pages of the second era have it: an element of the page comes first.
    const isTarget = typeof first === 'string' && typeof second !== 'string' && document.getElementById(first) !== null;
    if ((first !== undefined && first !== null && !isText) || (isTarget && this.page.apiKey !== ''))
      return named('TB', 'initPublisher', () => super.initPublisherBy(args));
    this.#keyOf('initPublisher', first);
    const target = typeof second === 'number' ? String(second) : second;
    return named('TB', 'initPublisher', () => super.initPublisherBy([target, ...rest]));
  }

  /** Takes over the key that the application gave, if it gave one. Throws when there is none at all. */
  #keyOf(method: string, given: unknown): void {
    const key = given === undefined || given === null ? this.page.apiKey : String(given);
    if (key === '') throw misuse('TB', method, 'the API key is missing');
    this.page.apiKey ||= key;
  }
}

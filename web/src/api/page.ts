/** What all objects of one page share: the era, the server, the `exception` event, everything that exists. */
import type { EngineWorld } from '../engine/index.ts';
import type { OTError } from '../errors.ts';
import { logger } from '../logger.ts';
import { queueEvent, type Emitter } from './emitter.ts';
import type { Era } from './era.ts';
import { ExceptionEvent } from './events.ts';
import type { Publisher } from './publisher.ts';
import type { Session } from './session.ts';
import type { Subscriber } from './subscriber.ts';

export class Page {
  readonly sessions = new Set<Session>();
  readonly publishers = new Set<Publisher>();
  readonly subscribers = new Set<Subscriber>();
  /** The namespace object, which dispatches `exception`. */
  namespace: Emitter | null = null;
  /** From the script's own address; the first connect fills it when it is empty. */
  apiKey = '';
  /** Prefix of all addresses that are not of media; null without a proxy. */
  proxyUrl: string | null = null;
  /** The application's own address of the program that encrypts; null for the one in the script. */
  encryptionWorkerUrl: string | null = null;
  /** Where sound comes out; null for the browser's default. */
  audioOutput: string | null = null;
  readonly #raised = new WeakSet<OTError>();

  /** `serverUrl` is the server's http address; null when it is not known yet. */
  constructor(
    readonly era: Era,
    readonly world: EngineWorld,
    public serverUrl: string | null,
  ) {}

  /** The address of the signalling socket; null when no server is known. */
  signallingUrl(): string | null {
    const url = this.address('signalling');
    if (url === null) return null;
    url.protocol = url.protocol === 'https:' || url.protocol === 'wss:' ? 'wss:' : 'ws:';
    return url.href;
  }

  /** An address of the server, through the proxy if there is one; null when no server is known. */
  address(path: string): URL | null {
    const server = this.serverUrl ?? document.querySelector<HTMLMetaElement>('meta[name="tertulia-server"]')?.content;
    if (server === undefined || server === '') return null;
    const direct = new URL(path, server.endsWith('/') ? server : `${server}/`);
    const { proxyUrl } = this;
    return proxyUrl === null ? direct : new URL(`${proxyUrl.replace(/\/$/, '')}/${direct.host}${direct.pathname}`);
  }

  /** Dispatches `exception` for a failure, once for each error. */
  raise(error: OTError, concerned: unknown): void {
    if (this.#raised.has(error)) return;
    this.#raised.add(error);
    logger.error(`${error.name} (${error.code}): ${error.message}`);
    if (this.namespace === null) return;
    const { code, title } = this.era.exception(error);
    const event = new ExceptionEvent(code, title, error.message, concerned);
    if (this.era.exceptionTarget === 'component') event.target = concerned;
    queueEvent(this.namespace, event);
  }
}

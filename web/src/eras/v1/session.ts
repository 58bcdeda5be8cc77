/** A Session of the first era: throws what is misuse, keeps maps, and calls things by their old names. */
import { idOf, Namespace, Publisher, settle, Stream, type Subscriber } from '../../api/index.ts';
import { OTError } from '../../errors.ts';
import { logger } from '../../logger.ts';
import type { Properties } from '../../options.ts';
import { ArchivingSession } from './archiving-session.ts';
import { measureQuality, type ConnectionQuality } from './connection-quality.ts';
import { deviceManagerOf } from './device-manager.ts';
import { DevicePublisher } from './device-publisher.ts';
import { misuse, named } from './exceptions.ts';
import { tellLevels } from './levels-of-streams.ts';
import { givenSignal } from './signals.ts';
import { CapabilitiesV1, ConnectionV1 } from './values.ts';

/** The server takes no more of what a client says of itself. */
const DATA_CHARACTERS = 1000;
/** What methods of this era return that yield a promise or a value in the second: their type is that of the second. */
const NOTHING = undefined as never;

export class SessionV1 extends ArchivingSession {
  #stopLevels: (() => void) | null = null;
  /** What the application wanted to know of the way to the server, as far as it has been measured. */
  #quality: ConnectionQuality | null = null;

  /** Null outside a connection. */
  override get connection(): never {
    return this.model.connection as never;
  }

  /** Null before the first connection. */
  override get capabilities(): CapabilitiesV1 {
    const { capabilities } = this.model;
    return capabilities instanceof CapabilitiesV1 ? capabilities : (null as never);
  }

  /** Maps by id. Their type is the second era's: only JavaScript of its time gets here. */
  override get streams(): never {
    return Object.fromEntries(this.model.streams) as never;
  }

  override get connections(): never {
    return Object.fromEntries(this.model.connections) as never;
  }

  override get publishers(): never {
    return Object.fromEntries([...this.model.publishers.values()].map((one) => [one.id, one])) as never;
  }

  override get subscribers(): never {
    return Object.fromEntries([...this.model.subscribers].map((one) => [one.id, one])) as never;
  }

  /** While it is not connected, and while it still connects, nothing happens. */
  override disconnect(): never {
    if (this.model.isPresent) void super.disconnect();
    else logger.warn('disconnect() has no effect: the session is not connected.');
    return NOTHING;
  }

  /** Closes the Publisher's device panel. One that was never published is destroyed. */
  override unpublish(publisher?: Publisher): void {
    const isOurs = publisher?.session === this;
    super.unpublish(publisher);
    if (isOurs && publisher instanceof DevicePublisher) deviceManagerOf(this.page)._closePanelOf(publisher);
    if (publisher?.session === null && publisher.stream === undefined) publisher._destroy('clientDisconnected');
  }

  override unsubscribe(subscriber?: Subscriber): never {
    super.unsubscribe(subscriber);
    return NOTHING;
  }

  /** Without arguments, or as the first WebRTC builds had it. */
  override signal(given?: unknown, handler?: unknown): never {
    this.requirePresence('signal');
    const { signals, done } = givenSignal(given, handler);
    if (done === undefined) for (const signal of signals) void super.signal(signal);
    else {
      const unheard = (): void => undefined;
      const all = Promise.all(signals.map((signal) => super.signal(signal, unheard)));
      void settle(all.then(unheard), done);
    }
    return NOTHING;
  }

  override getPublisherForStream(stream?: unknown): never {
    requireStream('getPublisherForStream', stream);
    return (super.getPublisherForStream(stream) ?? null) as never;
  }

  override getSubscribersForStream(stream?: unknown): Subscriber[] {
    requireStream('getSubscribersForStream', stream);
    return super.getSubscribersForStream(stream);
  }

  override forceDisconnect(connection?: unknown): never {
    if (idOf(connection, 'connectionId') === undefined)
      throw misuse('Session', 'forceDisconnect', 'a Connection or its id is required');
    this.requirePresence('forceDisconnect');
    void super.forceDisconnect(connection);
    return NOTHING;
  }

  /** Whether the stream is there is known at once: 1535. */
  override forceUnpublish(stream?: unknown): never {
    const id = requireStream('forceUnpublish', stream);
    this.requirePresence('forceUnpublish');
    if (this.model.streams.has(id) || this.capabilities.forceUnpublish === 0) void super.forceUnpublish(stream);
    else this.page.raise(new OTError('OT_INVALID_PARAMETER', 'The stream is not in the session.', 1535), this);
    return NOTHING;
  }

  /** `(apiKey, token [, properties])`; a session that has a key of its own takes `(token)` too. Returns nothing. */
  protected override connectBy(args: readonly unknown[]): this {
    const [first, second, ...rest] = args;
    const isText = (value: unknown): boolean => typeof value === 'string' || typeof value === 'number';
    const alone = second === undefined || typeof second === 'function';
    if (this.page.namespace instanceof Namespace && this.page.namespace.checkSystemRequirements() === 0)
      throw misuse('Session', 'connect', 'this browser cannot take part in sessions');
    if (alone && this.apiKey !== undefined && isText(first)) super.connectBy(args);
    else {
      const key = first ?? this.page.apiKey;
      if (!isText(key) || key === '') throw misuse('Session', 'connect', 'the API key is missing');
      if (typeof second !== 'string' || second === '') throw misuse('Session', 'connect', 'the token is missing');
      if (second === 'devtoken' || second === 'moderator_token')
        logger.warn(`${second} was a token for tests; this server wants one that was made for the session.`);
      this.apiKey = String(key);
      this.#connectWith((rest[0] ?? {}) as Properties, () => super.connectBy([this.apiKey, second, ...rest]));
    }
    return NOTHING;
  }

  /** Takes the properties of `connect` into account, unless it has nothing to do. */
  #connectWith({ detectConnectionQuality, connectionData }: Properties, connect: () => unknown): void {
    if (!this.connected && !this.connecting) {
      const said = String(connectionData ?? '');
      if (said.length > DATA_CHARACTERS)
        throw misuse('Session', 'connect', `connectionData is longer than ${DATA_CHARACTERS} characters`);
      this.clientData = said === '' ? undefined : said;
      this.#quality = null;
      if (Number(detectConnectionQuality) === 1) this.model.hold(this.#measure());
    }
    connect();
  }

  async #measure(): Promise<void> {
    this.#quality = await measureQuality(this.page.address('client/probe'));
  }

  /** A Publisher that was refused camera and microphone asks the user again. */
  protected override publishBy(args: readonly unknown[]): Publisher | null {
    const [first] = args;
    if (first instanceof Publisher && this.model.isPresent) first._askAgain();
    if (typeof first === 'object' && first !== null && !(first instanceof Publisher))
      throw misuse('Session', 'publish', 'a Publisher or the id of an element is required');
    // A number is an id as well, never a key as in later forms.
    const id = typeof first === 'string' || typeof first === 'number' ? String(first) : null;
    if (id !== null && this.page.era.elementWithId(id) === undefined)
      throw misuse('Session', 'publish', `there is no element with the id "${id}"`);
    return named('Session', 'publish', () => super.publishBy(id === null ? args : [id, ...args.slice(1)]));
  }

  protected override listenersChanged(): void {
    super.listenersChanged();
    const heard = this._hears('microphoneLevelChanged');
    if (heard) this.#stopLevels ??= tellLevels(this.model);
    else {
      this.#stopLevels?.();
      this.#stopLevels = null;
    }
  }

  /** The session is connected: gives the own connection its quality if that was to be measured. */
  _measured(): void {
    const { connection } = this.model;
    if (connection instanceof ConnectionV1) connection.quality = this.#quality;
  }

  /** Takes a copy of a Stream as well: what counts is the id. */
  protected override subscribeBy(args: readonly unknown[]): Subscriber | undefined {
    const [stream, ...rest] = args;
    const id = typeof stream === 'object' ? idOf(stream, 'streamId') : undefined;
    const known = stream instanceof Stream || id === undefined ? stream : this.model.streams.get(id);
    return named('Session', 'subscribe', () => super.subscribeBy([known, ...rest]));
  }

  /** Throws the application's mistake. */
  protected override misuse(error: OTError): never {
    throw new Error(error.message, { cause: error });
  }

  protected requirePresence(method: string): void {
    if (!this.model.isPresent) throw misuse('Session', method, 'the session is not connected');
  }
}

function requireStream(method: string, stream: unknown): string {
  const id = idOf(stream, 'streamId');
  if (id === undefined) throw misuse('Session', method, 'a Stream or its id is required');
  return id;
}

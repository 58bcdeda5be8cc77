/** A Session: the group whose members see each other's streams. */
import type { EncryptionWishes, IceWishes } from '../engine/index.ts';
import { canEncrypt, checkSecret } from '../encryption/index.ts';
import { asOTError, OTError } from '../errors.ts';
import { logger } from '../logger.ts';
import type { Properties } from '../options.ts';
import type { SentLines } from '../rtc/index.ts';
import type { Reason, RequestOf, SenderEstimates, StreamUpdate } from '../wire/index.ts';
import { connectArguments, idOf, viewArguments, withoutApiKey } from './arguments.ts';
import { Collection } from './collection.ts';
import { Emitter } from './emitter.ts';
import type { Page } from './page.ts';
import { watchPressure } from './pressure.ts';
import { settle, withPromise, type Done } from './promises.ts';
import { Publisher } from './publisher.ts';
import { SessionModel } from './session-model.ts';
import { checkSignal } from './signal.ts';
import { Subscriber } from './subscriber.ts';
import { queueJob } from './tasks.ts';
import type { Capabilities, Connection } from './values.ts';
import { Stream } from './values.ts';

export interface SessionOptions {
  readonly connectionEventsSuppressed?: boolean;
  readonly iceConfig?: Partial<IceWishes>;
  readonly encryptionSecret?: unknown;
}

type ModerationRequest = RequestOf<
  'forceDisconnect' | 'forceUnpublish' | 'forceMuteStream' | 'forceMuteAll' | 'disableForceMute'
>;

/** Members that begin with an underscore are the library's own. */
export class Session extends Emitter {
  readonly sessionId: string;
  readonly id: string;
  apiKey: string | undefined;
  token: string | undefined = undefined;

  /** Joins with a token. Returns the Session at once; the handler hears of success or failure. */
  readonly connect = withPromise((...args): Session => this.connectBy(args));
  /** Publishes a Publisher, or makes one from `[target [, properties]]` first. */
  readonly publish = withPromise((...args) => this.publishBy(args) as Publisher); // null for misuse alone
  /** Shows a stream: `(stream [, target [, properties [, handler]]])`. */
  readonly subscribe = withPromise((...args) => this.subscribeBy(args) as Subscriber); // undefined for misuse alone

  /** What the client says of itself when it joins; the second era has no word for it. */
  protected clientData: string | undefined = undefined;
  protected readonly page: Page;
  protected readonly model: SessionModel;
  readonly #options: SessionOptions;
  #pressure: (() => void) | null = null;
  #secret: unknown;

  constructor(page: Page, apiKey: string | undefined, sessionId: string, options: SessionOptions = {}) {
    super(page.era);
    this.page = page;
    this.apiKey = apiKey;
    this.sessionId = sessionId;
    this.id = sessionId;
    this.#options = options;
    this.#secret = options.encryptionSecret;
    this.model = new SessionModel(page, this);
    if (options.iceConfig !== undefined) this.#setIce(options.iceConfig);
  }

  /** The own connection; undefined outside a connection. */
  get connection(): Connection | undefined {
    return this.model.connection ?? undefined;
  }

  get capabilities(): Capabilities {
    return this.model.capabilities;
  }

  get connected(): boolean {
    return this.model.connection !== null;
  }

  get connecting(): boolean {
    return this.model.engine.phase === 'connecting';
  }

  get currentState(): string {
    return this.model.engine.phase;
  }

  /** Every stream of the session. */
  get streams(): Collection<Stream> {
    return new Collection(() => this.model.streams.values());
  }

  get connections(): Collection<Connection> {
    return new Collection(() => this.model.connections.values());
  }

  isConnected(): boolean {
    return this.connected;
  }

  is(state: string): boolean {
    return this.currentState === state;
  }

  /** Leaves the session. Resolves when it is left; `sessionDisconnected` tells so. Harmless when not connected. */
  disconnect(): Promise<void> {
    const { engine } = this.model;
    this.model.connectAfterwards = null;
    if (engine.phase === 'disconnected') return Promise.resolve();
    const left = new Promise<void>((resolve) => this.model.left.push(resolve));
    engine.disconnect();
    return left;
  }

  /** Ends the Publisher's stream; it gets `streamDestroyed`. */
  unpublish(publisher?: unknown): void {
    if (!(publisher instanceof Publisher)) {
      this.misuse(new OTError('OT_INVALID_PARAMETER', 'Session.unpublish: a Publisher is required.'));
      return;
    }
    if (publisher.session === null) return;
    if (publisher.session === this) this._endPublishing(publisher, 'clientDisconnected');
    else logger.warn('unpublish() has no effect: the Publisher publishes to another session.');
  }

  /** Destroys a Subscriber and its element. */
  unsubscribe(subscriber?: unknown): boolean {
    if (!(subscriber instanceof Subscriber)) {
      this.misuse(new OTError('OT_INVALID_PARAMETER', 'Session.unsubscribe: a Subscriber is required.'));
      return false;
    }
    subscriber._destroy('unsubscribed');
    return true;
  }

  /**
   * Sends a signal to everybody, or to one connection. `{type, data, to, retryAfterReconnect}`, each optional.
   *
   * Errors: OT_INVALID_PARAMETER (400, 413), OT_NOT_FOUND (404), OT_RATE_LIMIT_EXCEEDED (429), OT_NOT_CONNECTED,
   * OT_PERMISSION_DENIED (1510).
   */
  signal(signalOrDone?: object | Done, handler?: Done): Promise<void> {
    const isDone = typeof signalOrDone === 'function';
    const signal = (isDone ? {} : (signalOrDone ?? {})) as Properties;
    const done = isDone ? (signalOrDone as Done) : handler;
    const failed = (thrown: unknown): never => {
      const error = asOTError(thrown, 'OT_UNEXPECTED_SERVER_RESPONSE');
      error.signal = signal;
      throw error;
    };
    const work: Promise<void> = this.#sendSignal(signal).catch(failed);
    return settle(work, done ?? this.#raiser());
  }

  /** Makes another client leave; moderators only. Takes a Connection or its id. */
  forceDisconnect(connection?: unknown, done?: Done): Promise<void> {
    const id = idOf(connection, 'connectionId');
    const request = id === undefined ? null : ({ type: 'forceDisconnect', connectionId: id } as const);
    return this.#moderate('forceDisconnect', request, 'a Connection or its id is required', done);
  }

  /** Ends another client's stream; moderators only. Takes a Stream or its id. */
  forceUnpublish(stream?: unknown, done?: Done): Promise<void> {
    const id = idOf(stream, 'streamId');
    const request = id === undefined ? null : ({ type: 'forceUnpublish', streamId: id } as const);
    return this.#moderate('forceUnpublish', request, 'a Stream or its id is required', done);
  }

  /** Mutes a stream; moderators only. Resolves when the server has accepted it. Takes a Stream or its id. */
  forceMuteStream(stream?: unknown): Promise<void> {
    const id = idOf(stream, 'streamId');
    const request = id === undefined ? null : ({ type: 'forceMuteStream', streamId: id } as const);
    return this.#moderate('forceMuteStream', request, 'a Stream or its id is required');
  }

  /**
   * Mutes every stream but those in `excludedStreams`, the own ones among them, and every stream that is published before
   * `disableForceMute()`; moderators only.
   */
  forceMuteAll(excludedStreams: unknown = []): Promise<void> {
    const ids = Array.isArray(excludedStreams)
      ? excludedStreams.map((stream) => idOf(stream, 'streamId'))
      : [undefined];
    const excludedStreamIds = ids.filter((id) => id !== undefined);
    const request =
      excludedStreamIds.length < ids.length ? null : ({ type: 'forceMuteAll', excludedStreamIds } as const);
    return this.#moderate('forceMuteAll', request, 'the excluded streams must be an array of Streams or ids');
  }

  /** Lets streams begin with sound again; unmutes nobody. Moderators only. */
  disableForceMute(): Promise<void> {
    return this.#moderate('disableForceMute', { type: 'disableForceMute' }, '');
  }

  /** The own Publisher of a stream; undefined without one. */
  getPublisherForStream(stream?: unknown): Publisher | undefined {
    const id = idOf(stream, 'streamId');
    return id === undefined ? undefined : this.model.publishers.get(id);
  }

  /** Every Subscriber of a stream on this page, maybe none. */
  getSubscribersForStream(stream?: unknown): Subscriber[] {
    const id = idOf(stream, 'streamId');
    return id === undefined ? [] : this.model.subscribersOf(id);
  }

  protected override listenersChanged(): void {
    const heard = this._hears('cpuPerformanceChanged');
    if (heard) this.#pressure ??= watchPressure(this);
    else {
      this.#pressure?.();
      this.#pressure = null;
    }
  }

  /** Replaces the ICE configuration for later peer connections. */
  setIceConfig(iceConfig: Partial<IceWishes>): Promise<void> {
    this.#setIce(iceConfig);
    return Promise.resolve();
  }

  /**
   * Encrypts end to end with this secret from now on; what comes must be of the same. Resolves when the key is made.
   *
   * Errors: OT_INVALID_ENCRYPTION_SECRET, OT_NOT_SUPPORTED.
   */
  setEncryptionSecret(secret?: unknown): Promise<void> {
    return settle(
      (async () => {
        const wishes = this.#encryption(secret);
        this.#secret = secret;
        await this.model.engine.setEncryption(wishes);
      })().catch((thrown: unknown) => {
        throw asOTError(thrown, 'OT_NOT_SUPPORTED');
      }),
    );
  }

  /** What this page publishes to the session, and what it subscribes to. */
  get publishers(): Collection<Publisher> {
    return new Collection(() => this.model.publishers.values());
  }

  get subscribers(): Collection<Subscriber> {
    return new Collection(() => this.model.subscribers);
  }

  /** The page is being closed. */
  _goodbye(): void {
    this.model.engine.goodbye();
  }

  /** The page was closed and is shown again from the browser's cache. */
  _returned(): void {
    this.model.engine.returned();
  }

  _networkChanged(): void {
    this.model.engine.networkChanged();
  }

  _endPublishing(publisher: Publisher, reason: Reason): void {
    for (const [streamId, own] of this.model.publishers)
      if (own === publisher) this.model.engine.unpublish(streamId, reason);
    publisher.session = null;
  }

  /** The lines that carry the Publisher at present. */
  _lines(publisher: Publisher): SentLines | null {
    return this.model.engine.lines(publisher);
  }

  _updateStream(streamId: string, update: StreamUpdate): void {
    this.model.engine.updateStream(streamId, update);
  }

  _reportSenderStats(streamId: string, estimates: SenderEstimates): void {
    this.model.engine.reportSenderStats(streamId, estimates);
  }

  protected connectBy(args: readonly unknown[]): this {
    const { apiKey, token, done } = connectArguments<Done>(args, this.apiKey);
    const key = apiKey ?? this.apiKey ?? this.page.apiKey;
    const wrong = this.#wrongCredentials(key, token) ?? this.#wrongSecret();
    if (wrong !== null) {
      this.misuse(wrong, done);
      return this;
    }
    const { engine } = this.model;
    const begin = (): void => {
      this.#begin(key, String(token), done);
    };
    if (engine.phase === 'disconnected') begin();
    else if (engine.phase === 'disconnecting') this.model.connectAfterwards = begin;
    else if (engine.phase === 'connecting' && done !== undefined) this.model.connecting.push(done);
    else {
      logger.warn('connect() has no effect: the session is connected already.');
      void settle(Promise.resolve(), done);
    }
    return this;
  }

  #begin(apiKey: string, token: string, done: Done | undefined): void {
    const url = this.page.signallingUrl();
    if (url === null) {
      this.#fail(
        new OTError(
          'OT_CONNECT_FAILED',
          'No server is known: call OT.setServerUrl(url) or add <meta name="tertulia-server">.',
        ),
        done,
      );
      return;
    }
    this.apiKey = apiKey;
    this.token = token;
    this.page.apiKey ||= apiKey;
    if (done !== undefined) this.model.connecting.push(done);
    const connectionEventsSuppressed = this.#options.connectionEventsSuppressed === true;
    this.model.engine.connect({
      url,
      token,
      sessionId: this.sessionId,
      apiKey,
      connectionEventsSuppressed,
      ...(this.clientData === undefined ? {} : { clientData: this.clientData }),
      encryption: this.#secret == null ? null : this.#encryption(this.#secret),
    });
  }

  /** Throws what is wrong with the secret, or with the browser. */
  #encryption(secret: unknown): EncryptionWishes {
    const checked = checkSecret(secret);
    if (!canEncrypt()) throw new OTError('OT_NOT_SUPPORTED', 'This browser cannot encrypt end to end.');
    return { secret: checked, workerAddress: this.page.encryptionWorkerUrl };
  }

  #wrongSecret(): OTError | null {
    try {
      if (this.#secret != null) this.#encryption(this.#secret);
      return null;
    } catch (thrown) {
      return asOTError(thrown, 'OT_INVALID_ENCRYPTION_SECRET');
    }
  }

  #wrongCredentials(apiKey: string, token: unknown): OTError | null {
    if (apiKey === '')
      return new OTError('OT_AUTHENTICATION_ERROR', 'Session.connect: the API key is missing or empty.');
    if (this.sessionId === '')
      return new OTError('OT_INVALID_SESSION_ID', 'Session.connect: the session id is missing or empty.');
    if (typeof token !== 'string' || token === '')
      return new OTError('OT_INVALID_PARAMETER', 'Session.connect: the token is missing or empty.');
    return null;
  }

  protected publishBy(args: readonly unknown[]): Publisher | null {
    const done = args.find((argument) => typeof argument === 'function') as Done | undefined;
    if (!this.model.isPresent) {
      this.misuse(new OTError('OT_NOT_CONNECTED', 'Session.publish: the session is not connected.'), done);
      return null;
    }
    const [first] = args;
    if (first instanceof Publisher) {
      this.#publishExisting(first, done);
      return first;
    }
    const { target, properties } = viewArguments(withoutApiKey(args).rest);
    const publisher = this.page.era.makes.publisher(this.page, target, properties);
    this.#publishExisting(publisher, done);
    return publisher;
  }

  #publishExisting(publisher: Publisher, done: Done | undefined): void {
    if (publisher.session !== null) {
      logger.warn('publish() has no effect: the Publisher publishes already.');
      if (publisher.session === this) void settle(Promise.resolve(), done);
      else
        this.#fail(
          new OTError('OT_INVALID_PARAMETER', 'Session.publish: the Publisher publishes to another session.'),
          done,
        );
      return;
    }
    publisher.session = this;
    this.model.attached.add(publisher);
    const work = this.#publishWhenReady(publisher).catch((thrown: unknown) => {
      if (publisher.stream === undefined && publisher.session === this) publisher.session = null;
      if (publisher.session === null) this.model.attached.delete(publisher);
      const error = asOTError(thrown, 'OT_STREAM_CREATE_FAILED');
      this.page.raise(error, this);
      throw error;
    });
    void settle(work, done);
  }

  async #publishWhenReady(publisher: Publisher): Promise<void> {
    const { engine } = this.model;
    if (!this.model.mayPublish)
      throw new OTError('OT_PERMISSION_DENIED', 'The role of this token does not allow publishing.', 1500);
    await publisher._ready;
    if (publisher._isDestroyed)
      throw new OTError('OT_STREAM_CREATE_FAILED', 'The Publisher was destroyed before it was published.');
    if (publisher.session !== this)
      throw new OTError('OT_STREAM_CREATE_FAILED', 'unpublish() was called before the stream was registered.');
    if (this.model.muted) publisher._beginMuted(this.model.silence);
    await engine.publish(publisher, publisher._description(), (stream) => {
      this.model.publishers.set(stream.id, publisher);
      // The application changed its mind while the server was being asked.
      if (publisher.session !== this)
        queueJob(() => {
          engine.unpublish(stream.id);
        });
    });
  }

  protected subscribeBy(args: readonly unknown[]): Subscriber | undefined {
    const [stream, ...rest] = args;
    const { target, properties, done } = viewArguments<Done>(rest);
    if (!this.model.isPresent) {
      this.misuse(new OTError('OT_NOT_CONNECTED', 'Session.subscribe: the session is not connected.'), done);
      return undefined;
    }
    if (!(stream instanceof Stream)) {
      this.misuse(new OTError('OT_INVALID_PARAMETER', 'Session.subscribe: a Stream is required.'), done);
      return undefined;
    }
    try {
      return this.page.era.makes.subscriber(this.model, stream, target, properties, done);
    } catch (thrown) {
      this.misuse(asOTError(thrown, 'OT_INVALID_PARAMETER'), done);
      return undefined;
    }
  }

  async #sendSignal(signal: Properties): Promise<void> {
    if (this.page.era.signalsNeedPublish && !this.model.mayPublish) {
      throw new OTError('OT_PERMISSION_DENIED', 'The role of this token does not allow signals.', 1510);
    }
    const checked = checkSignal(signal);
    await this.model.engine.request(
      { type: 'signal', ...checked },
      { survivesLoss: signal['retryAfterReconnect'] !== false },
    );
  }

  #moderate(method: string, request: ModerationRequest | null, need: string, done?: Done): Promise<void> {
    if (request === null) return this.misuse(new OTError('OT_INVALID_PARAMETER', `Session.${method}: ${need}.`), done);
    const work = this.model.engine.request(request as RequestOf<'forceDisconnect'>).then(
      (): void => undefined,
      (thrown: unknown) => {
        const error = asOTError(thrown, 'OT_UNEXPECTED_SERVER_RESPONSE');
        this.page.raise(error, this);
        throw error;
      },
    );
    return settle(work, done);
  }

  /** A missing or wrong argument, or no connection: tells the handler and dispatches `exception`. */
  protected misuse(error: OTError, done?: Done): Promise<void> {
    return this.#fail(error, done);
  }

  #fail(error: OTError, done: Done | undefined): Promise<void> {
    this.page.raise(error, this);
    return settle(
      (async () => {
        throw error;
      })(),
      done,
    );
  }

  /** Failures that no handler hears are told as `exception`. */
  #raiser(): Done {
    return (error) => {
      if (error) this.page.raise(error, this);
    };
  }

  #setIce(wishes: Partial<IceWishes>): void {
    const { engine } = this.model;
    engine.iceWishes = { includeServers: 'all', transportPolicy: 'all', customServers: [], ...wishes };
  }
}

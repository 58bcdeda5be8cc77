/** Feeds the core with what the socket, the peer and the application do, and carries out what it decides. */
import {
  carry,
  isPresent,
  NO_AUDIO_SLOTS,
  NO_SUBSCRIPTIONS,
  NOT_CONNECTED,
  reduceSession,
  reduceSubscriptions,
  soundOf,
  type Fact,
  type Phase,
  type SessionEffect,
  type SessionInput,
  type SubscriptionEffect,
  type SubscriptionInput,
} from '../core/index.ts';
import type { FrameEncryption } from '../encryption/index.ts';
import { asOTError, OTError } from '../errors.ts';
import { logger } from '../logger.ts';
import type { PeerFactory, SentLines } from '../rtc/index.ts';
import { retryDelayMs, SignallingLink, type Surroundings } from '../signalling/index.ts';
import type {
  AudioSlot,
  Joined,
  Reason,
  RequestOf,
  RequestType,
  ResultOf,
  SenderEstimates,
  StreamDescription,
  StreamUpdate,
  SubscriptionWishes,
  WireStream,
} from '../wire/index.ts';
import { Media, type MediaStart, type Publication, type SlotMedia, type SlotSound } from './media.ts';

export interface EngineWorld extends Surroundings {
  readonly makePeer: PeerFactory;
  /** `address` is the application's own for the worker's program, if it named one. */
  makeEncryption(address: string | null): FrameEncryption;
}

export interface Credentials {
  /** The signalling address. */
  readonly url: string;
  readonly token: string;
  readonly sessionId: string;
  readonly apiKey: string;
  readonly connectionEventsSuppressed: boolean;
  /** What the client says of itself. */
  readonly clientData?: string;
  readonly encryption?: EncryptionWishes | null;
}

/** End-to-end encryption, as the application wants it. */
export interface EncryptionWishes {
  /** 8 to 256 characters. */
  readonly secret: string;
  readonly workerAddress: string | null;
}

/** The application's wishes about ICE; they are joined with the servers that the session names. */
export interface IceWishes {
  readonly includeServers: 'all' | 'custom';
  readonly transportPolicy: 'all' | 'relay';
  readonly customServers: readonly RTCIceServer[];
}

/** Where a subscription's media goes; called at once, in the order of the wire. */
export interface SubscriptionSink {
  attach(media: SlotMedia): void;
  /** In a large session: the sound comes by another line than the pair's, or by that again (null). After `attach` only. */
  carry(sound: SlotSound | null): void;
  /** Nothing of the binding may be shown or played when this returns. */
  detach(): void;
  /** The binding is void; its last picture may stay until the next `attach`. */
  suspend(): void;
  refused(error: OTError): void;
  video(enabled: boolean, reason: string): void;
  /** The router is about to leave the video out for bandwidth, or will not after all. */
  videoWarning(active: boolean): void;
  /** Words of the stream; a later caption replaces one that is not final. */
  caption(caption: string, isFinal: boolean): void;
  /** What the network of the publisher bears. */
  senderStats(estimates: SenderEstimates): void;
  /** Whether media from the server passes at all. */
  flow(flows: boolean): void;
}

const CLIENT = { name: 'tertulia-web', version: '0.1.0' };

export class SessionEngine {
  iceWishes: IceWishes = { includeServers: 'all', transportPolicy: 'all', customServers: [] };

  private state = NOT_CONNECTED;
  private subscriptions = NO_SUBSCRIPTIONS;
  private audioSlots = NO_AUDIO_SLOTS;
  /** Of the peer that has them. */
  private audioSlotsEpoch = 0;
  private link: SignallingLink | null = null;
  private credentials: Credentials | null = null;
  private encryption: FrameEncryption | null = null;
  private nextKey = 1;
  private readonly sinks = new Map<number, SubscriptionSink>();
  private readonly publications = new Map<string, Publication>();
  private readonly media: Media;
  /** Media of a session that was joined just now and is still to be told. */
  private waitingMedia: MediaStart | null = null;

  /**
   * `tell` gets every fact, in order, from inside socket tasks and API calls: queue before running handlers. `afterwards`
   * runs something once the application has been told every fact so far.
   */
  constructor(
    private readonly world: EngineWorld,
    private readonly tell: (fact: Fact) => void,
    private readonly afterwards: (run: () => void) => void,
  ) {
    this.media = new Media({
      makePeer: world.makePeer,
      request: (body) => this.request(body),
      now: () => world.now(),
      after: (milliseconds, run) => world.after(milliseconds, run),
      probe: () => this.link?.probe() ?? Promise.resolve(false),
      retryDelayMs: (attempt) => retryDelayMs(attempt, world.random()),
      onFlow: (flows) => {
        for (const sink of this.sinks.values()) sink.flow(flows);
      },
      onStandstill: (epoch, slot) => {
        for (const { id, binding } of this.subscriptions.values())
          if (id !== null && binding?.epoch === epoch && binding.slot === slot)
            this.link?.say({ type: 'videoStalled', subscriptionId: id });
      },
      onReplaced: () => {
        this.audioSlots = NO_AUDIO_SLOTS;
        this.inputSubscription({ type: 'transportReplaced' });
      },
    });
  }

  /** Whether media passes between the server and this client. */
  get flowing(): boolean {
    return this.media.flowing;
  }

  get phase(): Phase {
    return this.state.phase;
  }

  connect(credentials: Credentials): void {
    this.credentials = credentials;
    this.input({ type: 'connect' });
  }

  disconnect(): void {
    this.input({ type: 'disconnect' });
  }

  /**
   * Encrypts with another secret from now on, or for the first time. Resolves when the key is made. Rejects with
   * OT_NOT_SUPPORTED. Outside a connection it does nothing: `connect` brings the secret.
   */
  async setEncryption(wishes: EncryptionWishes): Promise<void> {
    const { credentials } = this;
    if (credentials === null || this.phase === 'disconnected') return;
    this.credentials = { ...credentials, encryption: wishes };
    this.beginMedia();
    const known = this.encryption;
    const encryption = (this.encryption ??= this.world.makeEncryption(wishes.workerAddress));
    try {
      await encryption.setSecret(wishes.secret, credentials.sessionId);
    } catch (error) {
      if (known === null && this.encryption === encryption) this.endEncryption();
      throw error;
    }
    if (known === null && this.encryption === encryption) this.media.encrypt(encryption);
  }

  /** The page is being closed: the server hears it, the application hears nothing more. */
  goodbye(): void {
    this.link?.goodbye();
    this.waitingMedia = null;
    this.media.end();
  }

  /** The page that was closed is back: what it left is told now. */
  returned(): void {
    this.input({ type: 'ended', reason: 'clientDisconnected' });
  }

  /** The browser says that the network is another now, or the page has woken up. */
  networkChanged(): void {
    this.link?.networkChanged();
  }

  /** The result of a request. Rejects with OT_NOT_CONNECTED outside a connection. */
  request<T extends RequestType>(
    body: RequestOf<T>,
    options: { readonly survivesLoss?: boolean } = {},
  ): Promise<ResultOf<T>> {
    if (this.link === null || !isPresent(this.state)) {
      return Promise.reject(new OTError('OT_NOT_CONNECTED', 'The session is not connected.'));
    }
    return this.link.request(body, options);
  }

  /** Publishes; `streamCreated` is told when the stream is registered, and the promise resolves when media can pass. */
  async publish(
    publication: Publication,
    description: StreamDescription,
    registered: (stream: WireStream) => void,
  ): Promise<void> {
    if (!isPresent(this.state)) throw new OTError('OT_NOT_CONNECTED', 'The session is not connected.');
    this.beginMedia();
    let streamId: string | null = null;
    try {
      await this.media.publish(publication, description, (stream) => {
        streamId = stream.id;
        this.publications.set(stream.id, publication);
        registered(stream);
        this.input({ type: 'published', stream });
      });
    } catch (error) {
      if (streamId !== null) this.unpublish(streamId);
      throw asOTError(error, 'OT_STREAM_CREATE_FAILED');
    }
    if (streamId === null || !this.publications.has(streamId)) {
      throw new OTError('OT_STREAM_DESTROYED', 'The stream ended while it was being published.');
    }
  }

  /** Ends an own stream. */
  unpublish(streamId: string, reason: Reason = 'clientDisconnected'): void {
    if (!this.publications.has(streamId)) return;
    void this.request({ type: 'unpublish', streamId, reason }).catch(() => undefined);
    this.input({ type: 'unpublished', streamId, reason });
  }

  /** The lines that carry a publication at present; null before it is offered. */
  lines(publication: Publication): SentLines | null {
    return this.media.lines(publication);
  }

  /** Tells the others of a change to an own stream. */
  updateStream(streamId: string, update: StreamUpdate): void {
    void this.request({ type: 'updateStream', streamId, ...update }).catch(() => undefined);
  }

  /** Says to those who subscribe to an own stream what its network bears. */
  reportSenderStats(streamId: string, estimates: SenderEstimates): void {
    this.link?.say({ type: 'senderStats', streamId, ...estimates });
  }

  /** Asks for a stream and returns the key of the subscription. */
  subscribe(streamId: string, wishes: SubscriptionWishes, sink: SubscriptionSink): number {
    const key = this.nextKey++;
    this.sinks.set(key, sink);
    this.inputSubscription({ type: 'subscribe', key, streamId, wishes });
    return key;
  }

  updateSubscription(key: number, wishes: SubscriptionWishes): void {
    this.inputSubscription({ type: 'update', key, wishes });
  }

  unsubscribe(key: number): void {
    this.inputSubscription({ type: 'unsubscribe', key });
    this.sinks.delete(key);
  }

  private input(input: SessionInput): void {
    const { state, effects } = reduceSession(this.state, input);
    this.state = state;
    for (const effect of effects) this.perform(effect);
  }

  private perform(effect: SessionEffect): void {
    switch (effect.type) {
      case 'join':
        this.join();
        return;
      case 'leave':
        this.link?.leave();
        return;
      case 'cancelJoin':
        this.link?.goodbye();
        this.link = null;
        this.endEncryption();
        return;
      case 'startMedia':
        this.startMedia(effect.message);
        return;
      case 'stopMedia':
        this.audioSlots = NO_AUDIO_SLOTS;
        this.waitingMedia = null;
        this.inputSubscription({ type: 'disconnected' });
        this.sinks.clear();
        this.publications.clear();
        this.media.end();
        this.endEncryption();
        return;
      case 'tell':
        if (effect.fact.type === 'streamDestroyed') this.forget(effect.fact.streamId);
        this.tell(effect.fact);
    }
  }

  /** With a secret nothing is asked of the server before the worker that encrypts has its key. */
  private join(): void {
    const { credentials } = this;
    if (credentials === null) return;
    const { encryption: wishes } = credentials;
    if (wishes == null) {
      this.open(credentials);
      return;
    }
    const encryption = (this.encryption = this.world.makeEncryption(wishes.workerAddress));
    encryption.setSecret(wishes.secret, credentials.sessionId).then(
      () => {
        if (this.encryption === encryption) this.open(credentials);
      },
      (thrown: unknown) => {
        if (this.encryption !== encryption) return;
        this.endEncryption();
        const { name, code, message } = asOTError(thrown, 'OT_NOT_SUPPORTED');
        this.input({ type: 'failed', error: { name, code, message } });
      },
    );
  }

  private endEncryption(): void {
    this.encryption?.close();
    this.encryption = null;
  }

  private open({ url, encryption, ...said }: Credentials): void {
    const link: SignallingLink = new SignallingLink(
      url,
      { type: 'join', ...said, ...(encryption == null ? {} : { encrypts: true }), client: CLIENT, audioSlots: true },
      {
        joined: (message) => {
          this.input({ type: 'joined', message });
        },
        failed: (error) => {
          if (this.link === link) this.link = null;
          this.endEncryption();
          this.input({ type: 'failed', error });
        },
        interrupted: () => {
          this.beginMedia();
          this.media.interrupted();
          this.input({ type: 'interrupted' });
        },
        resumed: (message) => {
          this.input({ type: 'resumed', message });
          if (this.media.resumed(message.epoch))
            this.inputSubscription({ type: 'bindings', bindings: message.bindings });
        },
        event: (number, event) => {
          this.input({ type: 'event', number, event });
        },
        notice: (notice) => {
          this.beginMedia();
          switch (notice.type) {
            case 'bound':
              this.inputSubscription(notice);
              return;
            case 'unbound':
              this.inputSubscription(notice);
              return;
            case 'subscriptionVideo':
              this.inputSubscription({ ...notice, type: 'video' });
              return;
            case 'subscriptionVideoWarning':
              this.inputSubscription({ ...notice, type: 'videoWarning' });
              return;
            case 'caption':
              this.inputSubscription(notice);
              return;
            case 'senderStats':
              this.inputSubscription(notice);
              return;
            case 'layersPaused':
              this.pauseLayers(notice.streamId, notice.rids);
              return;
            case 'audioSlot':
              this.audioSlot(notice);
              return;
            case 'slotsNeeded':
              this.media.slotsNeeded(notice.pairs);
              return;
            case 'mediaFailed':
              this.media.mediaFailed(notice.epoch);
          }
        },
        ended: (reason) => {
          if (this.link === link) this.link = null;
          this.input({ type: 'ended', reason });
        },
        lastNumber: () => this.state.number,
      },
      this.world,
    );
    this.link = link;
  }

  /**
   * A browser takes 20 to 40 ms to make a peer connection and its first offer, on the thread of the page. The application
   * hears that it is connected before, unless something needs the media first.
   */
  private startMedia({ iceServers, capabilities }: Joined): void {
    const { includeServers, transportPolicy, customServers } = this.iceWishes;
    const platform =
      includeServers === 'custom' ? [] : iceServers.map((server) => ({ ...server, urls: [...server.urls] }));
    const start: MediaStart = {
      configuration: { iceServers: [...platform, ...customServers], iceTransportPolicy: transportPolicy },
      receives: capabilities.subscribe === 1,
      encryption: this.encryption,
    };
    this.waitingMedia = start;
    this.afterwards(() => {
      if (this.waitingMedia === start) this.beginMedia();
    });
  }

  private beginMedia(): void {
    const start = this.waitingMedia;
    this.waitingMedia = null;
    if (start !== null) this.media.begin(start);
  }

  private forget(streamId: string): void {
    const publication = this.publications.get(streamId);
    if (publication === undefined) return;
    this.publications.delete(streamId);
    this.media.unpublish(publication);
  }

  private pauseLayers(streamId: string, rids: readonly string[]): void {
    const publication = this.publications.get(streamId);
    const lines = publication === undefined ? null : this.media.lines(publication);
    lines?.pauseLayers(rids).catch((error: unknown) => {
      logger.warn('The layers of a stream could not be changed.', error);
    });
  }

  private inputSubscription(input: SubscriptionInput): void {
    const { state, effects } = reduceSubscriptions(this.subscriptions, input);
    this.subscriptions = state;
    for (const effect of effects) this.performSubscription(effect);
  }

  private performSubscription(effect: SubscriptionEffect): void {
    switch (effect.type) {
      case 'ask':
        this.ask(effect.key, effect.request);
        return;
      case 'send':
        void this.request(effect.request as RequestOf<'releaseSlot'>).catch(() => undefined);
        return;
      case 'attach': {
        const media = this.media.media(effect.binding);
        if (media === null) return;
        this.sinks.get(effect.key)?.attach(media);
        if (soundOf(this.audioSlots, effect.binding.subscriptionId) !== null) this.tellSound(effect.key);
        return;
      }
      case 'detach':
        this.sinks.get(effect.key)?.detach();
        return;
      case 'suspend':
        this.sinks.get(effect.key)?.suspend();
        return;
      case 'refuse':
        this.sinks.get(effect.key)?.refused(new OTError(effect.error.name, effect.error.message, effect.error.code));
        this.sinks.delete(effect.key);
        return;
      case 'videoWarning':
        this.sinks.get(effect.key)?.videoWarning(effect.active);
        return;
      case 'caption':
        this.sinks.get(effect.key)?.caption(effect.caption, effect.isFinal);
        return;
      case 'senderStats':
        this.sinks.get(effect.key)?.senderStats(effect.estimates);
        return;
      case 'video':
        this.sinks.get(effect.key)?.video(effect.enabled, effect.reason);
    }
  }

  private audioSlot({ epoch, slot, subscriptionId, audioRtpTimestamp }: AudioSlot): void {
    if (this.media.audioOf(epoch, slot) === null) return;
    this.audioSlotsEpoch = epoch;
    const carried = subscriptionId === undefined ? null : { subscriptionId, from: audioRtpTimestamp ?? null };
    const { state, changed } = carry(this.audioSlots, slot, carried);
    this.audioSlots = state;
    for (const [key, { id, binding }] of this.subscriptions)
      if (id !== null && binding !== null && changed.includes(id)) this.tellSound(key);
  }

  private tellSound(key: number): void {
    const id = this.subscriptions.get(key)?.id ?? null;
    const sound = id === null ? null : soundOf(this.audioSlots, id);
    const receiver = sound === null ? null : this.media.audioOf(this.audioSlotsEpoch, sound.slot);
    const carried = sound === null || receiver === null ? null : { receiver, from: sound.from };
    this.sinks.get(key)?.carry(carried);
  }

  private ask(key: number, request: RequestOf<'subscribe'>): void {
    this.request(request).then(
      ({ subscriptionId }) => {
        this.inputSubscription({ type: 'answered', key, id: subscriptionId });
      },
      (thrown: unknown) => {
        const { name, code, message } = asOTError(thrown, 'OT_UNEXPECTED_SERVER_RESPONSE');
        this.inputSubscription({ type: 'refused', key, error: { name, code, message } });
      },
    );
  }
}

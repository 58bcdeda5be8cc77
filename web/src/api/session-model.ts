/** The session as the application sees it at this moment: facts of the engine become objects and events, one job each. */
import type { Fact } from '../core/index.ts';
import { SessionEngine } from '../engine/index.ts';
import { OTError } from '../errors.ts';
import type { SignalReceived, StateValues, WireArchive } from '../wire/index.ts';
import { fire } from './emitter.ts';
import {
  ArchiveEvent,
  ConnectionEvent,
  Event,
  MuteForcedEvent,
  SignalEvent,
  StreamEvent,
  StreamPropertyChangedEvent,
} from './events.ts';
import type { Page } from './page.ts';
import type { Done } from './promises.ts';
import type { Publisher } from './publisher.ts';
import type { Session } from './session.ts';
import type { Subscriber } from './subscriber.ts';
import { afterwards, callBack, queueJob } from './tasks.ts';
import { Capabilities, Stream, type Connection } from './values.ts';

type FactOf<Type extends Fact['type']> = Extract<Fact, { type: Type }>;

export class SessionModel {
  readonly engine: SessionEngine;
  /** The own connection; null outside a connection. */
  connection: Connection | null = null;
  capabilities = new Capabilities();
  /** What the role says of publishing; true before it is known. */
  mayPublish = true;
  /** Whether streams begin without sound. */
  muted = false;
  /** Another whenever streams begin with sound again, and when something may have been missed. */
  silence = Symbol('silence');
  /** The state that all clients of the session share; empty outside a connection. */
  state: ReadonlyMap<string, string> = new Map();
  /** Hears what is different in it, when something is. */
  stateWatcher: (values: StateValues) => void = () => undefined;
  /** Archives that run, by id. */
  readonly archives = new Map<string, WireArchive>();
  readonly connections = new Map<string, Connection>();
  readonly streams = new Map<string, Stream>();
  /** Own publishers by the id of their stream. */
  readonly publishers = new Map<string, Publisher>();
  /** Own publishers from the call of `publish` on, whether or not their stream is registered. */
  readonly attached = new Set<Publisher>();
  readonly subscribers = new Set<Subscriber>();
  /** Completion handlers of the attempt to connect that is under way. */
  readonly connecting: Done[] = [];
  /** Resolved when the disconnection that is under way is told. */
  readonly left: (() => void)[] = [];
  /** Connects as soon as the disconnection that is under way is told. */
  connectAfterwards: (() => void) | null = null;

  /** Facts that wait; see `hold`. */
  private held: Fact[] | null = null;

  constructor(
    readonly page: Page,
    readonly session: Session,
  ) {
    this.engine = new SessionEngine(
      page.world,
      (fact) => {
        if (this.held === null) this.queue(fact);
        else this.held.push(fact);
      },
      queueJob,
    );
  }

  /** Tells the application nothing before `work` has settled; then all of it, in order. */
  hold(work: Promise<unknown>): void {
    this.held ??= [];
    const release = (): void => {
      const held = this.held ?? [];
      this.held = null;
      for (const fact of held) this.queue(fact);
    };
    work.then(release, release);
  }

  private queue(fact: Fact): void {
    queueJob(() => {
      this.apply(fact);
    });
  }

  /** Whether publish, subscribe and their like can be carried out. */
  get isPresent(): boolean {
    const { phase } = this.engine;
    return phase === 'connected' || phase === 'reconnecting';
  }

  connectionOf(id: string): Connection {
    return this.connections.get(id) ?? this.page.era.makes.connection({ id, creationTime: Number.NaN, data: '' });
  }

  subscribersOf(streamId: string): Subscriber[] {
    return [...this.subscribers].filter(({ streamId: id }) => id === streamId);
  }

  /** Destroys every Subscriber of a stream. */
  destroySubscribersOf(streamId: string, reason: string): void {
    for (const subscriber of this.subscribersOf(streamId)) subscriber._destroy(reason);
  }

  private apply(fact: Fact): void {
    switch (fact.type) {
      case 'connected':
        this.connected(fact);
        return;
      case 'connectFailed':
        this.connectFailed(new OTError(fact.error.name, fact.error.message, fact.error.code));
        return;
      case 'reconnecting':
        if (this.page.era.tellsReconnecting) fire(this.session, new Event('sessionReconnecting'));
        return;
      case 'reconnected':
        this.silence = Symbol('silence');
        if (this.page.era.tellsReconnecting) fire(this.session, new Event('sessionReconnected'));
        return;
      case 'disconnected':
        this.disconnected(fact);
        return;
      case 'connectionCreated': {
        const connection = this.page.era.makes.connection(fact.connection);
        this.connections.set(connection.id, connection);
        fire(this.session, new ConnectionEvent('connectionCreated', connection));
        return;
      }
      case 'connectionDestroyed': {
        const connection = this.connectionOf(fact.connectionId);
        this.connections.delete(fact.connectionId);
        fire(this.session, new ConnectionEvent('connectionDestroyed', connection, fact.reason));
        return;
      }
      case 'connectionInterrupted':
      case 'connectionRestored':
        for (const subscriber of this.subscribers) {
          if (subscriber.stream?.connection.id === fact.connectionId)
            subscriber._publisherPresent(fact.type === 'connectionRestored');
        }
        return;
      case 'streamCreated':
        this.streamCreated(fact);
        return;
      case 'streamDestroyed':
        this.streamDestroyed(fact);
        return;
      case 'streamPropertyChanged':
        this.streamPropertyChanged(fact);
        return;
      case 'archiveStarted':
      case 'archiveStopped':
        this.archiveChanged(fact);
        return;
      case 'muteForced':
        this.muted = fact.active;
        if (!fact.active) this.silence = Symbol('silence');
        if (this.page.era.tellsMuting) fire(this.session, new MuteForcedEvent(fact.active));
        return;
      case 'streamMuted':
        this.publishers.get(fact.streamId)?._muteForced(this.silence);
        return;
      case 'stateChanged':
        this.stateChanged(fact.values);
        return;
      case 'signal':
        this.signal(fact.signal);
    }
  }

  private connected(fact: FactOf<'connected'>): void {
    for (const wire of fact.connections) this.connections.set(wire.id, this.page.era.makes.connection(wire));
    for (const wire of fact.streams)
      this.streams.set(wire.id, this.page.era.makes.stream(this.connectionOf(wire.connectionId), wire));
    this.connection = this.connectionOf(fact.own.id);
    this.capabilities = this.page.era.makes.capabilities(fact.capabilities);
    this.mayPublish = fact.capabilities.publish !== 0;
    this.muted = fact.muted;
    this.state = fact.state;
    for (const archive of fact.archives) this.archives.set(archive.id, archive);
    const handlers = this.connecting.splice(0);
    this.page.era.connected(this, () => {
      for (const done of handlers) callBack(done);
    });
  }

  private connectFailed(error: OTError): void {
    this.page.raise(error, this.session);
    for (const done of this.connecting.splice(0)) callBack(done, error);
    this.resolveLeft();
  }

  private resolveLeft(): void {
    for (const resolve of this.left.splice(0)) resolve();
  }

  private disconnected({ reason, ownStreams }: FactOf<'disconnected'>): void {
    const published: (readonly [Publisher, Stream])[] = [];
    for (const id of ownStreams) {
      const publisher = this.publishers.get(id);
      const stream = this.streams.get(id);
      if (publisher !== undefined && stream !== undefined) published.push([publisher, stream]);
    }
    this.connection = null;
    this.state = new Map();
    this.connections.clear();
    this.streams.clear();
    this.archives.clear();
    this.publishers.clear();
    for (const subscriber of this.subscribers) subscriber._sessionEnded();
    const attached = [...this.attached];
    this.attached.clear();
    this.page.era.disconnected(this, reason, published, attached);
    afterwards(() => {
      this.resolveLeft();
      const connect = this.connectAfterwards;
      this.connectAfterwards = null;
      connect?.();
    });
  }

  private streamCreated({ stream: wire, own }: FactOf<'streamCreated'>): void {
    const stream = this.page.era.makes.stream(this.connectionOf(wire.connectionId), wire);
    this.streams.set(stream.id, stream);
    if (!own) {
      fire(this.session, new StreamEvent('streamCreated', stream));
      this.changed(stream);
      return;
    }
    const publisher = this.publishers.get(stream.id);
    if (publisher === undefined) return;
    publisher._streaming(stream);
    publisher._archived(this.archives.size > 0);
    this.page.era.ownStreamCreated(this, publisher, stream);
    this.changed(stream);
  }

  /** Lets the era tell more of a stream, after what was told of it just now. */
  private changed(stream: Stream): void {
    afterwards(() => {
      this.page.era.streamChanged(this, stream);
    });
  }

  private streamDestroyed({ streamId, own, reason }: FactOf<'streamDestroyed'>): void {
    const stream = this.streams.get(streamId);
    if (stream === undefined) return;
    this.streams.delete(streamId);
    const publisher = this.publishers.get(streamId);
    if (own && publisher !== undefined) {
      this.page.era.ownStreamDestroyed(this, publisher, stream, reason);
      afterwards(() => {
        this.publishers.delete(streamId);
        this.attached.delete(publisher);
      });
      return;
    }
    fire(this.session, new StreamEvent('streamDestroyed', stream, reason), () => {
      this.destroySubscribersOf(streamId, reason);
    });
  }

  private streamPropertyChanged(fact: FactOf<'streamPropertyChanged'>): void {
    const stream = this.streams.get(fact.streamId);
    if (stream === undefined) return;
    Stream.change(stream, fact.property, fact.newValue);
    const event = (): Event => new StreamPropertyChangedEvent(stream, fact.property, fact.oldValue, fact.newValue);
    fire(this.session, event());
    fire(stream, event());
    this.changed(stream);
    afterwards(() => {
      for (const subscriber of this.subscribersOf(stream.id)) subscriber._streamChanged(fact.property, fact.forQuality);
    });
  }

  private archiveChanged({ type, archive }: FactOf<'archiveStarted' | 'archiveStopped'>): void {
    if (type === 'archiveStarted') this.archives.set(archive.id, archive);
    else this.archives.delete(archive.id);
    for (const publisher of this.publishers.values()) publisher._archived(this.archives.size > 0);
    if (this.page.era.tellsArchives) fire(this.session, new ArchiveEvent(type, archive.id, archive.name));
  }

  private stateChanged(values: StateValues): void {
    const state = new Map(this.state);
    for (const [key, value] of Object.entries(values)) {
      if (value === null) state.delete(key);
      else state.set(key, value);
    }
    this.state = state;
    this.stateWatcher(values);
  }

  private signal({ from, signalType, data }: SignalReceived): void {
    const sender = from === undefined ? null : this.connectionOf(from);
    const type = signalType === undefined || signalType === '' ? 'signal' : `signal:${signalType}`;
    // Listeners of plain `signal` get every signal, under its full type.
    const said = this.page.era.saidBy(data);
    fire(this.session, new SignalEvent(type, said, sender), undefined, 'signal');
    if (type !== 'signal') fire(this.session, new SignalEvent(type, said, sender));
    this.page.era.signalled(this, said, sender);
  }
}

// An OpenTok of paper for tests: it does nothing by itself, remembers what was asked of it, and dispatches what a test says.
import type {
  Completion, Connection, Emitter, ExceptionEvent, OpenTok, OpenTokError, OpenTokEvent, Publisher, PublisherEvents, PublisherOptions, Session,
  SessionEvents, Signal, Stream, Subscriber, SubscriberEvents,
} from './opentok.ts';

class FakeEmitter<Events> implements Emitter<Events> {
  readonly #handlers = new Map<keyof Events & string, ((event: never) => void)[]>();

  on<Type extends keyof Events & string>(type: Type, handler: (event: Events[Type]) => void): this {
    this.#handlers.set(type, [...(this.#handlers.get(type) ?? []), handler]);
    return this;
  }

  /** Dispatches to the handlers of `type`; the event's own type may differ, as that of a typed signal does. */
  fire<Type extends keyof Events & string>(type: Type, fields: Omit<Events[Type], keyof OpenTokEvent>, eventType: string = type): void {
    const event = { type: eventType, preventDefault: () => undefined, ...fields };
    for (const handler of this.#handlers.get(type) ?? []) handler(event as never);
  }
}

export class FakePublisher extends FakeEmitter<PublisherEvents> implements Publisher {
  isDestroyed = false;
  readonly sent: [string, boolean][] = [];

  constructor(readonly options: PublisherOptions, readonly finish: Completion) {
    super();
  }

  publishAudio(value: boolean): void {
    this.sent.push(['audio', value]);
  }

  publishVideo(value: boolean): void {
    this.sent.push(['video', value]);
  }

  destroy(): void {
    this.isDestroyed = true;
  }
}

export class FakeSubscriber extends FakeEmitter<SubscriberEvents> implements Subscriber {
  constructor(readonly streamId: string, readonly finish: Completion) {
    super();
  }

  isAudioBlocked(): boolean {
    return false;
  }
}

export class FakeSession extends FakeEmitter<SessionEvents> implements Session {
  connection: Connection | null = null;
  capabilities = { publish: 0, subscribe: 0, forceDisconnect: 0 };
  readonly connects: { token: string; finish: Completion }[] = [];
  readonly published: { publisher: Publisher; finish: Completion }[] = [];
  readonly subscribers: FakeSubscriber[] = [];
  readonly signals: Signal[] = [];
  readonly removed: string[] = [];
  disconnects = 0;

  connect(token: string, finish: Completion): void {
    this.connects.push({ token, finish });
  }

  /** The server lets the client in, as `id`. */
  welcome(id: string, capabilities: { publish: number; subscribe: number; forceDisconnect: number }): void {
    this.connection = connection(id);
    this.capabilities = capabilities;
    this.fire('sessionConnected', {});
    this.connects.at(-1)?.finish();
    this.fire('connectionCreated', { connection: this.connection });
  }

  disconnect(): void {
    this.disconnects++;
  }

  publish(publisher: Publisher, finish: Completion): void {
    this.published.push({ publisher, finish });
  }

  subscribe({ streamId }: Stream, _target: HTMLElement, _options: object, finish: Completion): FakeSubscriber {
    const subscriber = new FakeSubscriber(streamId, finish);
    this.subscribers.push(subscriber);
    return subscriber;
  }

  signal(signal: Signal): void {
    this.signals.push(signal);
  }

  forceDisconnect(connectionId: string): void {
    this.removed.push(connectionId);
  }
}

export class FakeOpenTok extends FakeEmitter<{ exception: ExceptionEvent }> implements OpenTok {
  readonly session = new FakeSession();
  readonly publishers: FakePublisher[] = [];

  initSession(): FakeSession {
    return this.session;
  }

  initPublisher(_target: HTMLElement, options: PublisherOptions, finish: Completion): FakePublisher {
    const publisher = new FakePublisher(options, finish);
    this.publishers.push(publisher);
    return publisher;
  }

  unblockAudio(): Promise<void> {
    return Promise.resolve();
  }
}

export function connection(connectionId: string, data = ''): Connection {
  return { connectionId, creationTime: 0, data };
}

export function stream(streamId: string, of: Connection): Stream {
  return { streamId, connection: of, name: '', hasAudio: true, hasVideo: true };
}

export function error(name: string, message = 'It failed'): OpenTokError {
  return { name, message, code: 1500 };
}

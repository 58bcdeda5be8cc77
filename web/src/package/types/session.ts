/** The Session. */
import type { SessionEvents } from './events.ts';
import type { CompletionHandler, OTEventEmitter } from './handlers.ts';
import type { IceConfig, PublisherProperties, Signal, SubscriberProperties, Target } from './options.ts';
import type { Publisher } from './publisher.ts';
import type { Subscriber } from './subscriber.ts';
import type { Capabilities, Collection, Connection, Stream } from './values.ts';

/** The group whose members see each other's streams. */
export interface Session extends OTEventEmitter<SessionEvents> {
  readonly sessionId: string;
  /** The same as `sessionId`. */
  readonly id: string;
  readonly apiKey: string | undefined;
  readonly token: string | undefined;
  /** The own connection, while connected. */
  readonly connection: Connection | undefined;
  readonly capabilities: Capabilities;
  readonly connected: boolean;
  /** `disconnected`, `connecting`, `connected`, `reconnecting` or `disconnecting`. */
  readonly currentState: string;
  readonly streams: Collection<Stream>;
  readonly connections: Collection<Connection>;
  isConnected(): boolean;
  is(state: string): boolean;

  /** Joins with a token. Returns at once; the handler hears of success or failure. */
  readonly connect: {
    (token: string, done?: CompletionHandler): Session;
    /** @deprecated The key belongs into `OT.initSession`. */
    (apiKey: string | number, token: string, done?: CompletionHandler): Session;
    promise(token: string): Promise<Session>;
  };
  /** Leaves the session; `sessionDisconnected` tells so. Harmless when not connected. */
  disconnect(): Promise<void>;

  /** Publishes a Publisher, or makes one first as `OT.initPublisher` does. */
  readonly publish: {
    (publisher: Publisher, done?: CompletionHandler): Publisher;
    (target?: Target | null, properties?: PublisherProperties, done?: CompletionHandler): Publisher;
    (target: Target | null | undefined, done: CompletionHandler): Publisher;
    (done: CompletionHandler): Publisher;
    promise: {
      (publisher: Publisher): Promise<Publisher>;
      (target?: Target | null, properties?: PublisherProperties): Promise<Publisher>;
    };
  };
  /** Ends the Publisher's stream. */
  unpublish(publisher: Publisher): void;

  /** Shows a stream. Returns at once; the handler hears when media arrives, or why it does not. */
  readonly subscribe: {
    (stream: Stream, target?: Target | null, properties?: SubscriberProperties, done?: CompletionHandler): Subscriber;
    (stream: Stream, target: Target | null | undefined, done: CompletionHandler): Subscriber;
    (stream: Stream, properties: SubscriberProperties, done?: CompletionHandler): Subscriber;
    (stream: Stream, done: CompletionHandler): Subscriber;
    promise: {
      (stream: Stream, target?: Target | null, properties?: SubscriberProperties): Promise<Subscriber>;
      (stream: Stream, properties: SubscriberProperties): Promise<Subscriber>;
    };
  };
  /** Destroys a Subscriber and its element. */
  unsubscribe(subscriber: Subscriber): void;

  /** Sends a signal to everybody, or to one connection. */
  signal(signal: Signal, done?: CompletionHandler): Promise<void>;

  /** Makes another client leave; moderators only. */
  forceDisconnect(connection: Connection | string, done?: CompletionHandler): Promise<void>;
  /** Ends another client's stream; moderators only. */
  forceUnpublish(stream: Stream | string, done?: CompletionHandler): Promise<void>;
  /** Mutes a stream; moderators only. */
  forceMuteStream(stream: Stream | string): Promise<void>;
  /** Mutes every stream but those given, and those that are published until `disableForceMute()`; moderators only. */
  forceMuteAll(excludedStreams?: readonly Stream[]): Promise<void>;
  /** Lets streams begin with sound again; unmutes nobody. Moderators only. */
  disableForceMute(): Promise<void>;

  getPublisherForStream(stream: Stream): Publisher | undefined;
  getSubscribersForStream(stream: Stream): Subscriber[];

  /** Another secret, for sessions with end-to-end encryption. */
  setEncryptionSecret(secret: string): Promise<void>;
  /** Replaces the ICE configuration for later peer connections. */
  setIceConfig(iceConfig: IceConfig): Promise<void>;
}

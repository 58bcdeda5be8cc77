/** What differs between the generations of the API. `eras/v1/` and `eras/v2.ts` are the only implementations. */
import type { OTError } from '../errors.ts';
import type { Properties } from '../options.ts';
import type { Reason, WireCapabilities, WireConnection, WireStream } from '../wire/index.ts';
import type { Target } from './arguments.ts';
import type { ListenerManners } from './emitter.ts';
import type { Namespace } from './namespace.ts';
import type { Page } from './page.ts';
import type { Done } from './promises.ts';
import type { Publisher } from './publisher.ts';
import type { Session, SessionOptions } from './session.ts';
import type { SessionModel } from './session-model.ts';
import type { Subscriber } from './subscriber.ts';
import type { Capabilities, Connection, Stream } from './values.ts';

/** Makes a page's objects: those of `api/` in the second era, descendants of them in the first. */
export interface Makers {
  namespace(page: Page): Namespace;
  session(page: Page, apiKey: string | undefined, sessionId: string, options: SessionOptions): Session;
  publisher(page: Page, target: Target, properties: Properties, done?: Done): Publisher;
  subscriber(model: SessionModel, stream: Stream, target: Target, properties: Properties, done?: Done): Subscriber;
  stream(connection: Connection, wire: WireStream): Stream;
  connection(wire: WireConnection): Connection;
  capabilities(wire?: WireCapabilities): Capabilities;
}

export interface Era extends ListenerManners {
  readonly name: 'v1' | 'v2';
  readonly makes: Makers;
  /** Misuse of a method (missing or wrong argument, not connected) is thrown, else given to the handler. */
  readonly throwsMisuse: boolean;
  /** Whether sessionReconnecting and sessionReconnected are dispatched. */
  readonly tellsReconnecting: boolean;
  /** Whether muteForced is dispatched. */
  readonly tellsMuting: boolean;
  /** Whether archiveStarted and archiveStopped are dispatched. */
  readonly tellsArchives: boolean;
  /** Which of the events that go with the browser's question are marked as cancelable. */
  readonly cancelable: Readonly<Record<'accessAllowed' | 'accessDialogOpened', boolean>>;
  /** Whether publishers send their video in several sizes, unless the application asks for one. */
  readonly sendsLayers: boolean;
  /** The volume that a Subscriber starts with, 0 to 100. */
  readonly defaultVolume: number;
  /** A role that may not publish may not signal either. */
  readonly signalsNeedPublish: boolean;
  readonly exceptionTarget: 'namespace' | 'component';
  /** What the `exception` event says of an error. */
  exception(error: OTError): { readonly code: number; readonly title: string };
  /** Dispatches sessionConnected and announces who and what is present; `handlers` runs the completion handlers. */
  connected(model: SessionModel, handlers: () => void): void;
  ownStreamCreated(model: SessionModel, publisher: Publisher, stream: Stream): void;
  ownStreamDestroyed(model: SessionModel, publisher: Publisher, stream: Stream, reason: Reason): void;
  /** A stream of the session is new or has changed, and the application was told so. */
  streamChanged(model: SessionModel, stream: Stream): void;
  /** What the data of a signal are to the application. */
  saidBy(data: string | undefined): unknown;
  /** A signal came in and was dispatched as `signal`; `sender` is null when the server sent it. */
  signalled(model: SessionModel, data: unknown, sender: Connection | null): void;
  /** The element that an application means by that id; undefined when there is none for it. */
  elementWithId(id: string): HTMLElement | undefined;
  /** The id of a view's new element. */
  newElementId(kind: 'publisher' | 'subscriber', streamId: string): string;
  /** A Publisher or Subscriber is no more. */
  destroyed(view: Publisher | Subscriber, reason: string): void;
  /**
   * Dispatches sessionDisconnected with its default. `published` are the own publishers whose streams ended with it,
   * `attached` all that were being published, whether or not their stream was registered.
   */
  disconnected(
    model: SessionModel,
    reason: Reason,
    published: readonly (readonly [Publisher, Stream])[],
    attached: readonly Publisher[],
  ): void;
}

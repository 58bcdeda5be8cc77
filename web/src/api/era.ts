/** What differs between the generations of the API. `eras/v1.ts` and `eras/v2.ts` are the only implementations. */
import type { Reason } from '../wire/index.ts';
import type { ListenerManners } from './emitter.ts';
import type { Publisher } from './publisher.ts';
import type { SessionModel } from './session-model.ts';
import type { Stream } from './values.ts';

export interface Era extends ListenerManners {
  readonly name: 'v1' | 'v2';
  /** Misuse of a method (missing or wrong argument, not connected) is thrown, else given to the handler. */
  readonly throwsMisuse: boolean;
  /** Whether sessionReconnecting and sessionReconnected are dispatched. */
  readonly tellsReconnecting: boolean;
  /** Whether muteForced is dispatched. */
  readonly tellsMuting: boolean;
  /** The volume that a Subscriber starts with, 0 to 100. */
  readonly defaultVolume: number;
  /** A role that may not publish may not signal either. */
  readonly signalsNeedPublish: boolean;
  readonly exceptionTarget: 'namespace' | 'component';
  /** Dispatches sessionConnected and announces who and what is present; `handlers` runs the completion handlers. */
  connected(model: SessionModel, handlers: () => void): void;
  ownStreamCreated(model: SessionModel, publisher: Publisher, stream: Stream): void;
  ownStreamDestroyed(model: SessionModel, publisher: Publisher, stream: Stream, reason: Reason): void;
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

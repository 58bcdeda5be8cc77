/** What an application gets to know, in the order in which it happened. Eras turn facts into events. */
import type {
  Reason,
  SignalReceived,
  StateValues,
  StreamProperty,
  WireArchive,
  WireCapabilities,
  WireConnection,
  WireError,
  WireStream,
} from '../wire/index.ts';

export type Fact =
  | {
      readonly type: 'connected';
      readonly own: WireConnection;
      readonly capabilities: WireCapabilities;
      /** Everybody, own included, by time of creation. */
      readonly connections: readonly WireConnection[];
      readonly streams: readonly WireStream[];
      /** Whether streams begin without sound. */
      readonly muted: boolean;
      /** Those that run. */
      readonly archives: readonly WireArchive[];
      /** The shared state. */
      readonly state: ReadonlyMap<string, string>;
    }
  | { readonly type: 'connectFailed'; readonly error: WireError }
  | { readonly type: 'reconnecting' }
  | { readonly type: 'reconnected' }
  /** `ownStreams` are those that ended with the connection. Follows `connected` exactly once. */
  | { readonly type: 'disconnected'; readonly reason: Reason; readonly ownStreams: readonly string[] }
  | { readonly type: 'connectionCreated'; readonly connection: WireConnection }
  | { readonly type: 'connectionDestroyed'; readonly connectionId: string; readonly reason: Reason }
  | { readonly type: 'connectionInterrupted'; readonly connectionId: string }
  | { readonly type: 'connectionRestored'; readonly connectionId: string }
  | { readonly type: 'streamCreated'; readonly stream: WireStream; readonly own: boolean }
  | { readonly type: 'streamDestroyed'; readonly streamId: string; readonly own: boolean; readonly reason: Reason }
  | {
      readonly type: 'streamPropertyChanged';
      readonly streamId: string;
      readonly property: StreamProperty;
      readonly oldValue: unknown;
      readonly newValue: unknown;
      /** True for video that stops, or is back, because of its publisher's network. */
      readonly forQuality?: boolean;
    }
  | { readonly type: 'archiveStarted' | 'archiveStopped'; readonly archive: WireArchive }
  /** The mute state of the session was set. */
  | { readonly type: 'muteForced'; readonly active: boolean }
  /** An own stream was muted by force. */
  | { readonly type: 'streamMuted'; readonly streamId: string }
  /** Keys of the shared state have other values; null for a key that is gone. */
  | { readonly type: 'stateChanged'; readonly values: StateValues }
  | { readonly type: 'signal'; readonly signal: SignalReceived };

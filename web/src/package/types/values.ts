/** What connections, streams and collections are to an application. */
import type { StreamPropertyChangedEvent } from './events.ts';
import type { OTEventEmitter } from './handlers.ts';

/** A width and a height in pixels. */
export interface Dimensions {
  width: number;
  height: number;
}

/** Where a stream's video comes from. */
export type VideoType = 'camera' | 'screen' | 'custom';

/** One client's attachment to a session. Compare `connectionId`s, not objects. */
export interface Connection {
  readonly connectionId: string;
  /** The same as `connectionId`. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly creationTime: number;
  /** What the token carried; empty when nothing. */
  readonly data: string;
}

/** What one publisher sends. One object for each stream, as long as it lives. */
export interface Stream extends OTEventEmitter<{
  streamPropertyChanged: StreamPropertyChangedEvent<Stream>;
}> {
  readonly streamId: string;
  /** The same as `streamId`. */
  readonly id: string;
  /** The publisher's. */
  readonly connection: Connection;
  /** Milliseconds since the epoch. */
  readonly creationTime: number;
  /** Empty when the publisher has set none. */
  readonly name: string;
  readonly initials: string | undefined;
  /** Only when the publisher has asked for a frame rate. */
  readonly frameRate: number | undefined;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly hasCaptions: boolean;
  /** The encoded size. */
  readonly videoDimensions: Dimensions;
  /** Undefined for voice alone. */
  readonly videoType: VideoType | undefined;
}

/** What the token's role allows: 1 or 0, undefined before the first connect. */
export interface Capabilities {
  readonly publish: number | undefined;
  readonly subscribe: number | undefined;
  readonly forceDisconnect: number | undefined;
  readonly forceUnpublish: number | undefined;
  readonly forceMute: number | undefined;
}

/** A live view of what there is. */
export interface Collection<Entry extends object> {
  length(): number;
  /** The first entry that agrees with all criteria; the first of all without. */
  find(criteria?: Partial<Entry> | ((entry: Entry) => boolean)): Entry | undefined;
  /** Every entry that agrees with all criteria. */
  where(criteria?: Partial<Entry> | ((entry: Entry) => boolean)): Entry[];
  /** The entry with that id. */
  get(id: string): Entry | undefined;
  forEach(visit: (entry: Entry, index: number) => void, context?: unknown): void;
}

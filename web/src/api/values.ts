/** Connections, streams and capabilities as applications see them. */
import type {
  Dimensions,
  StreamProperty,
  VideoType,
  WireCapabilities,
  WireConnection,
  WireStream,
} from '../wire/index.ts';
import { Emitter, type ListenerManners } from './emitter.ts';

/** One client's attachment to a session. Compare `connectionId`s, not objects. */
export class Connection {
  readonly connectionId: string;
  readonly id: string;
  /** Milliseconds since the epoch; NaN when unknown. */
  readonly creationTime: number;
  /** What the token carried; empty when nothing. */
  readonly data: string;
  /** Null; in the first era maybe what was measured. */
  readonly quality: object | null = null;
  readonly capabilities: { readonly supportsWebRTC: boolean } = { supportsWebRTC: true };
  readonly permissions: Readonly<Record<string, never>> = {};

  constructor({ id, creationTime, data }: WireConnection) {
    this.connectionId = id;
    this.id = id;
    this.creationTime = creationTime;
    this.data = data;
  }
}

/** What one publisher sends. One object for each stream, as long as it lives. */
export class Stream extends Emitter {
  readonly streamId: string;
  readonly id: string;
  readonly connection: Connection;
  /** Milliseconds since the epoch. */
  readonly creationTime: number;
  readonly name: string;
  readonly initials: string | undefined;
  readonly frameRate: number | undefined;
  readonly type = 'basic';
  hasAudio: boolean;
  hasVideo: boolean;
  hasCaptions: boolean;
  videoDimensions: Dimensions;
  videoType: VideoType | undefined;

  constructor(manners: ListenerManners, connection: Connection, wire: WireStream) {
    super(manners);
    this.streamId = wire.id;
    this.id = wire.id;
    this.connection = connection;
    this.creationTime = wire.creationTime;
    this.name = wire.name;
    this.initials = wire.initials;
    this.frameRate = wire.frameRate;
    this.hasAudio = wire.hasAudio;
    this.hasVideo = wire.hasVideo;
    this.hasCaptions = wire.hasCaptions;
    this.videoDimensions = wire.videoDimensions;
    this.videoType = wire.videoType;
  }

  /** Takes over a changed property and returns the value before. */
  static change(stream: Stream, property: StreamProperty, value: unknown): unknown {
    const before: unknown = stream[property];
    (stream as unknown as Record<StreamProperty, unknown>)[property] = value ?? undefined;
    return before;
  }
}

/** What the role allows, 1 or 0 each; members are undefined before the first connect. */
export class Capabilities {
  readonly publish: number | undefined;
  readonly subscribe: number | undefined;
  readonly forceDisconnect: number | undefined;
  readonly forceUnpublish: number | undefined;
  readonly forceMute: number | undefined;
  readonly supportsWebRTC: number | undefined;

  constructor(wire?: WireCapabilities) {
    this.publish = wire?.publish;
    this.subscribe = wire?.subscribe;
    this.forceDisconnect = wire?.forceDisconnect;
    this.forceUnpublish = wire?.forceUnpublish;
    this.forceMute = wire?.forceMute;
    this.supportsWebRTC = wire === undefined ? undefined : 1;
  }
}

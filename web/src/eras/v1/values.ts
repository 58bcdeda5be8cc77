/** Connections, streams and capabilities as pages of the first era know them. */
import { Capabilities, Connection } from '../../api/index.ts';
import type { WireCapabilities, WireConnection } from '../../wire/index.ts';
import { RecordableStream } from './archiving-stream.ts';
import type { ConnectionQuality } from './connection-quality.ts';
import { encodesH264, hasDevices } from './equipment.ts';

export class ConnectionV1 extends Connection {
  /** Of the own connection, when `detectConnectionQuality` was 1. */
  override quality: ConnectionQuality | null = null;

  constructor(wire: WireConnection) {
    super(wire);
    const { creationTime, data, clientData = '' } = wire;
    if (Number.isNaN(creationTime))
      Object.assign(this, { data: null }); // known by its id alone
    // What the token says goes before what the client said of itself.
    else if (data === '') Object.assign(this, { data: clientData });
  }
}

export interface Orientation {
  readonly videoOrientation: string;
  readonly width: number;
  readonly height: number;
}

export class StreamV1 extends RecordableStream {
  /** What the encoder makes of the picture; unknown until it was told by `streamPropertyChanged`. */
  quality: { readonly encodedWidth: number; readonly encodedHeight: number } | undefined = undefined;

  /** Follows the size of the picture; whether the quality changed by that. */
  takeQuality(): boolean {
    const { width, height } = this.videoDimensions;
    const known = this.quality;
    if (width === 0 || height === 0 || (known?.encodedWidth === width && known.encodedHeight === height)) return false;
    this.quality = { encodedWidth: width, encodedHeight: height };
    return true;
  }

  /** Pictures arrive upright: browsers turn them before they are shown. */
  get orientation(): Orientation {
    const { width, height } = this.videoDimensions;
    return { videoOrientation: 'OTVideoOrientationRotatedNormal', width: width || 640, height: height || 480 };
  }
}

/** What the role and this computer allow, 1 or 0 each. */
export class CapabilitiesV1 extends Capabilities {
  override readonly publish: number;
  override readonly subscribe = 1;
  readonly record: number;
  readonly playback: number;
  readonly publishH264: boolean;

  constructor(wire?: WireCapabilities) {
    super(wire);
    const role = wire?.publish ?? 0;
    this.publish = hasDevices() ? role : 0;
    this.record = wire?.forceDisconnect ?? 0;
    this.playback = this.record;
    this.publishH264 = encodesH264();
  }
}

/** Connections, streams and capabilities as pages of the first era know them. */
import { Capabilities, Connection } from '../../api/index.ts';
import type { WireCapabilities, WireConnection } from '../../wire/index.ts';
import { RecordableStream } from './archiving-stream.ts';
import { encodesH264, hasDevices } from './equipment.ts';

export class ConnectionV1 extends Connection {
  constructor(wire: WireConnection) {
    super(wire);
    if (Number.isNaN(wire.creationTime)) Object.assign(this, { data: null }); // known by its id alone
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

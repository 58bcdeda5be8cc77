/** The devices of a Publisher: which camera and microphone it has, how loud, and how that is told. */
import { notSupported, Publisher, type Page, type Target } from '../../api/index.ts';
import type { Properties } from '../../options.ts';

/** What the application said of devices when it made the Publisher. */
export interface DeviceWishes {
  readonly cameraName: string | undefined;
  readonly microphoneName: string | undefined;
  /** 0 to 100. */
  readonly microphoneGain: number;
}

export class DevicePublisher extends Publisher {
  constructor(
    page: Page,
    target: Target,
    properties: Properties,
    protected readonly deviceWishes: DeviceWishes,
  ) {
    super(page, target, properties);
  }

  setCamera(_camera?: unknown): this {
    throw notSupported('setCamera');
  }

  setMicrophone(_microphone?: unknown): this {
    throw notSupported('setMicrophone');
  }

  detectDevices(): void {
    throw notSupported('detectDevices');
  }

  detectMicActivity(_on?: unknown): void {
    throw notSupported('detectMicActivity');
  }

  setMicrophoneGain(_gain?: unknown): this {
    throw notSupported('setMicrophoneGain');
  }

  getMicrophoneGain(): number {
    throw notSupported('getMicrophoneGain');
  }

  getEchoCancellationMode(): string {
    throw notSupported('getEchoCancellationMode');
  }
}

/** The events of devices in the first era, and the objects that name a device. */
import { Event } from '../../api/index.ts';

/** A camera or microphone as pages know it. `status`: active, inactive, unknown (before access), invalid (no such). */
export class Device {
  readonly #deviceId: string;

  constructor(
    readonly name: string,
    readonly status: string,
    deviceId = '',
  ) {
    this.#deviceId = deviceId;
  }

  /** The browser's id of the device; empty where it tells none. */
  static idOf(device: Device): string {
    return device.#deviceId;
  }
}

export class Camera extends Device {}

export class Microphone extends Device {}

type DeviceEventType = 'devicesSelected' | 'deviceInactive' | 'invalidDeviceName' | 'echoCancellationModeChanged';

/** The devices concerned; the other one is null. */
export class DeviceEvent extends Event {
  constructor(
    type: DeviceEventType,
    readonly camera: Camera | null,
    readonly microphone: Microphone | null,
  ) {
    super(type);
  }
}

/** What there is, and what is in use. */
export class DeviceStatusEvent extends Event {
  constructor(
    readonly cameras: readonly Camera[],
    readonly microphones: readonly Microphone[],
    readonly selectedCamera: Camera | null,
    readonly selectedMicrophone: Microphone | null,
  ) {
    super('devicesDetected');
  }
}

/** `value`: for the level −1 (no sound is captured) to 100, for the gain 0 to 100. */
export class ValueEvent extends Event {
  constructor(
    type: 'microphoneActivityLevel' | 'microphoneGainChanged',
    readonly value: number,
  ) {
    super(type);
  }
}

/** Either button opens or closes a device panel unless prevented. */
export class ButtonEvent extends Event {
  constructor(type: 'settingsButtonClick' | 'closeButtonClick') {
    super(type, true);
  }
}

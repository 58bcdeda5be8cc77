/** The cameras and microphones of this computer by their names, as the first era knows devices. */
import { listDevices } from '../../rtc/index.ts';
import { Camera, Device, DeviceStatusEvent, Microphone } from './device-events.ts';

/** The tracks that a component captures; null without. */
export interface TracksInUse {
  readonly camera: MediaStreamTrack | null;
  readonly microphone: MediaStreamTrack | null;
}

const NOTHING_IN_USE: TracksInUse = { camera: null, microphone: null };

type Maker<Kind extends Device> = new (name: string, status: string, deviceId: string) => Kind;

/** Looks which devices there are. Names are the browser's, made different where two are the same. */
export async function detect(inUse: TracksInUse = NOTHING_IN_USE): Promise<DeviceStatusEvent> {
  const infos = await listDevices('audioinput', 'videoinput').catch(() => []);
  const cameras = named(infos.filter(isOf('videoinput')), 'Camera', inUse.camera, Camera);
  const microphones = named(infos.filter(isOf('audioinput')), 'Microphone', inUse.microphone, Microphone);
  return new DeviceStatusEvent(
    cameras,
    microphones,
    selected(cameras, inUse.camera),
    selected(microphones, inUse.microphone),
  );
}

/** The device that a name, or an object with a name, stands for; undefined when there is none. */
export function find<Kind extends Device>(devices: readonly Kind[], wished: unknown): Kind | undefined {
  const name = nameOf(wished);
  return devices.find((device) => device.name === name) ?? byPosition(devices, name);
}

/** The name in what an application passes for a device. */
export function nameOf(wished: unknown): string {
  const name: unknown = typeof wished === 'object' && wished !== null ? (wished as { name?: unknown }).name : wished;
  return typeof name === 'string' || typeof name === 'number' ? String(name) : '';
}

/** The camera on the side that is named: `front` or `back`. Which one that is stands in its name, on phones. */
function byPosition<Kind extends Device>(devices: readonly Kind[], name: string): Kind | undefined {
  const words: Readonly<Record<string, RegExp>> = { front: /front|user|facetime/i, back: /back|rear|environment/i };
  const pattern = Object.hasOwn(words, name) ? words[name] : undefined;
  return pattern && devices.find((device) => device instanceof Camera && pattern.test(device.name));
}

function isOf(kind: MediaDeviceKind): (info: MediaDeviceInfo) => boolean {
  // Windows has a second default, for calls, which is only ever one of the others.
  return (info) => info.kind === kind && info.deviceId !== 'communications';
}

function named<Kind extends Device>(
  infos: readonly MediaDeviceInfo[],
  word: string,
  inUse: MediaStreamTrack | null,
  Made: Maker<Kind>,
): Kind[] {
  const taken = new Set<string>();
  return infos.map(({ label, deviceId }, index) => {
    const plain = label === '' ? `${word} ${index + 1}` : label;
    let name = plain;
    for (let count = 2; taken.has(name); count += 1) name = `${plain} (${count})`;
    taken.add(name);
    const known = label !== '';
    const gone = inUse?.getSettings().deviceId === deviceId && (inUse.muted || inUse.readyState === 'ended');
    return new Made(name, known ? (gone ? 'inactive' : 'active') : 'unknown', deviceId);
  });
}

function selected<Kind extends Device>(devices: readonly Kind[], track: MediaStreamTrack | null): Kind | null {
  const deviceId = track?.getSettings().deviceId;
  return devices.find((device) => Device.idOf(device) === deviceId && deviceId !== '') ?? null;
}

/** Media without devices: tracks and streams that only remember, and a `navigator.mediaDevices` that grants or refuses. */
import { vi } from 'vitest';

export class FakeTrack extends EventTarget {
  enabled = true;
  readyState: 'live' | 'ended' = 'live';
  contentHint = '';

  constructor(readonly kind: 'audio' | 'video') {
    super();
  }

  label = '';
  deviceId = '';
  constraints: MediaTrackConstraints = {};
  capabilities: Record<string, unknown> = {};

  getSettings(): MediaTrackSettings {
    return this.kind === 'video'
      ? { width: 640, height: 480, deviceId: this.deviceId || 'cam-1' }
      : { deviceId: this.deviceId || 'mic-1' };
  }

  getConstraints(): MediaTrackConstraints {
    return this.constraints;
  }

  getCapabilities(): Record<string, unknown> {
    return this.capabilities;
  }

  applyConstraints(constraints: MediaTrackConstraints): Promise<void> {
    this.constraints = constraints;
    return Promise.resolve();
  }

  stop(): void {
    this.readyState = 'ended';
  }

  /** The user or the device ends it. */
  end(): void {
    this.readyState = 'ended';
    this.dispatchEvent(new globalThis.Event('ended'));
  }
}

export class FakeStream {
  constructor(private tracks: FakeTrack[] = []) {}

  getTracks(): FakeTrack[] {
    return [...this.tracks];
  }

  getAudioTracks(): FakeTrack[] {
    return this.tracks.filter(({ kind }) => kind === 'audio');
  }

  getVideoTracks(): FakeTrack[] {
    return this.tracks.filter(({ kind }) => kind === 'video');
  }

  addTrack(track: FakeTrack): void {
    this.tracks = [...this.tracks, track];
  }

  removeTrack(track: FakeTrack): void {
    this.tracks = this.tracks.filter((known) => known !== track);
  }
}

export interface FakeDevices {
  /** What the browser lists. */
  list: { readonly kind: string; readonly deviceId: string; readonly label: string }[];
  /** What was opened, in order. */
  readonly opened: FakeTrack[];
  /** Set to make every further request fail with an error of that name. */
  refusesWith: string | null;
}

/** Puts fake devices into the page until `vi.unstubAllGlobals()`. */
export function stubMedia(): FakeDevices {
  const devices: FakeDevices = { opened: [], refusesWith: null, list: [] };
  const getUserMedia = ({ audio, video }: MediaStreamConstraints): Promise<FakeStream> => {
    if (devices.refusesWith !== null)
      return Promise.reject(Object.assign(new Error('refused'), { name: devices.refusesWith }));
    const idOf = (wished: MediaTrackConstraints | boolean | undefined): string =>
      typeof wished === 'object' ? ((wished.deviceId as { exact?: string } | undefined)?.exact ?? '') : '';
    for (const wished of [audio, video]) {
      const id = idOf(wished);
      if (id !== '' && devices.list.length > 0 && !devices.list.some(({ deviceId }) => deviceId === id))
        return Promise.reject(Object.assign(new Error('no such device'), { name: 'OverconstrainedError' }));
    }
    const tracks = [...(audio ? [new FakeTrack('audio')] : []), ...(video ? [new FakeTrack('video')] : [])];
    for (const track of tracks) track.deviceId = idOf(track.kind === 'audio' ? audio : video);
    devices.opened.push(...tracks);
    return Promise.resolve(new FakeStream(tracks));
  };
  vi.stubGlobal('MediaStream', FakeStream);
  vi.stubGlobal('navigator', { mediaDevices: { getUserMedia, enumerateDevices: () => Promise.resolve(devices.list) } });
  vi.stubGlobal(
    'RTCPeerConnection',
    class {
      addTransceiver(): void {
        /* found by the check of requirements */
      }
    },
  );
  vi.spyOn(HTMLMediaElement.prototype, 'play').mockResolvedValue();
  Object.defineProperty(HTMLMediaElement.prototype, 'srcObject', { configurable: true, writable: true, value: null });
  return devices;
}

/** Media without devices: tracks and streams that only remember, and a `navigator.mediaDevices` that grants or refuses. */
import { vi } from 'vitest';

export class FakeTrack extends EventTarget {
  enabled = true;
  readyState: 'live' | 'ended' = 'live';
  contentHint = '';

  constructor(readonly kind: 'audio' | 'video') {
    super();
  }

  getSettings(): MediaTrackSettings {
    return this.kind === 'video' ? { width: 640, height: 480, deviceId: 'cam-1' } : {};
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
  /** What was opened, in order. */
  readonly opened: FakeTrack[];
  /** Set to make every further request fail with an error of that name. */
  refusesWith: string | null;
}

/** Puts fake devices into the page until `vi.unstubAllGlobals()`. */
export function stubMedia(): FakeDevices {
  const devices: FakeDevices = { opened: [], refusesWith: null };
  const getUserMedia = ({ audio, video }: MediaStreamConstraints): Promise<FakeStream> => {
    if (devices.refusesWith !== null)
      return Promise.reject(Object.assign(new Error('refused'), { name: devices.refusesWith }));
    const tracks = [...(audio ? [new FakeTrack('audio')] : []), ...(video ? [new FakeTrack('video')] : [])];
    devices.opened.push(...tracks);
    return Promise.resolve(new FakeStream(tracks));
  };
  vi.stubGlobal('MediaStream', FakeStream);
  vi.stubGlobal('navigator', { mediaDevices: { getUserMedia, enumerateDevices: () => Promise.resolve([]) } });
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

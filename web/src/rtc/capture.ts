/** Camera, microphone and screen: what the application wished for, as tracks, and failures under the API's names. */
import { OTError, type ErrorName } from '../errors.ts';

/** Wishes for one capture. `false` leaves the medium out; `true` takes the default device; a text is a device id. */
export interface CaptureWishes {
  readonly audio: boolean | string;
  readonly video: boolean | string;
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
  readonly facingMode?: string | undefined;
  readonly echoCancellation: boolean;
  readonly noiseSuppression: boolean;
  readonly autoGainControl: boolean;
  /** The application's own constraints, which override those derived from the rest. */
  readonly constraints?: MediaStreamConstraints;
}

const NAMES: Readonly<Record<string, ErrorName>> = {
  NotAllowedError: 'OT_USER_MEDIA_ACCESS_DENIED',
  PermissionDeniedError: 'OT_USER_MEDIA_ACCESS_DENIED',
  SecurityError: 'OT_USER_MEDIA_ACCESS_DENIED',
  NotFoundError: 'OT_NO_DEVICES_FOUND',
  NotReadableError: 'OT_HARDWARE_UNAVAILABLE',
  AbortError: 'OT_HARDWARE_UNAVAILABLE',
  OverconstrainedError: 'OT_CONSTRAINTS_NOT_SATISFIED',
  TypeError: 'OT_NO_VALID_CONSTRAINTS',
};

const MESSAGES: Partial<Record<ErrorName, string>> = {
  OT_USER_MEDIA_ACCESS_DENIED: 'Publisher Access Denied: the browser or the user refused the camera or the microphone.',
  OT_NO_DEVICES_FOUND: 'No camera or microphone was found.',
  OT_HARDWARE_UNAVAILABLE: 'The camera or the microphone is in use elsewhere or does not work.',
  OT_CONSTRAINTS_NOT_SATISFIED: 'No camera or microphone is as wished.',
};

/** Whether this browser can be in a session at all. */
export function supportsWebRtc(): boolean {
  return (
    typeof RTCPeerConnection === 'function' &&
    typeof WebSocket === 'function' &&
    'addTransceiver' in RTCPeerConnection.prototype
  );
}

/**
 * Opens microphone and camera. Where only one of the two exists and both were wished for by default, that one is taken.
 *
 * Rejects with one of the capture errors of contract/errors.yaml.
 */
export async function capture(wishes: CaptureWishes): Promise<MediaStream> {
  const devices = mediaDevices();
  const constraints = constraintsFor(wishes);
  if (!constraints.audio && !constraints.video) {
    throw new OTError('OT_NO_VALID_CONSTRAINTS', 'Neither audio nor video was asked for.');
  }
  try {
    return await devices.getUserMedia(constraints);
  } catch (error) {
    const fewer = nameOf(error) === 'NotFoundError' ? await withoutMissing(devices, constraints) : null;
    if (fewer === null) throw captureError(error);
    return devices.getUserMedia(fewer).catch((again: unknown) => {
      throw captureError(again);
    });
  }
}

/** Opens the browser's own screen picker. Rejects as `capture` does. */
export async function captureScreen(limits: {
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
  readonly audio: boolean;
}): Promise<MediaStream> {
  const devices = mediaDevices();
  const { electron } = globalThis as { electron?: Electron };
  if (electron?.desktopCapturer !== undefined) return captureDesktop(electron.desktopCapturer, devices, limits);
  if (!('getDisplayMedia' in devices))
    throw new OTError('OT_SCREEN_SHARING_NOT_SUPPORTED', 'This browser cannot share a screen.', 1550);
  try {
    return await devices.getDisplayMedia({
      audio: limits.audio,
      video: { width: { max: limits.width }, height: { max: limits.height }, frameRate: { ideal: limits.frameRate } },
    });
  } catch (error) {
    throw captureError(error);
  }
}

/** What the preload script of an Electron application exposes. */
interface Electron {
  readonly desktopCapturer?: {
    getSources(wishes: { readonly types: readonly string[] }): Promise<readonly { readonly id: string }[]>;
  };
}

/** In Electron there is no picker: the first screen is taken. */
async function captureDesktop(
  capturer: NonNullable<Electron['desktopCapturer']>,
  devices: MediaDevices,
  limits: { readonly width: number; readonly height: number },
): Promise<MediaStream> {
  try {
    const [screen] = await capturer.getSources({ types: ['screen'] });
    if (screen === undefined) throw new Error('There is no screen.');
    const mandatory = {
      chromeMediaSource: 'desktop',
      chromeMediaSourceId: screen.id,
      maxWidth: limits.width,
      maxHeight: limits.height,
    };
    return await devices.getUserMedia({ audio: false, video: { mandatory } as unknown as MediaTrackConstraints });
  } catch (error) {
    throw captureError(error);
  }
}

/** Devices of these kinds; labels are empty until the user has granted access. Rejects with OT_NOT_SUPPORTED. */
export async function listDevices(...kinds: readonly MediaDeviceKind[]): Promise<MediaDeviceInfo[]> {
  const all = await mediaDevices().enumerateDevices();
  return all.filter(({ kind }) => kinds.includes(kind));
}

/** The constraints that express `wishes`. */
export function constraintsFor(wishes: CaptureWishes): MediaStreamConstraints {
  const { audio, video, echoCancellation, noiseSuppression, autoGainControl } = wishes;
  const derived: MediaStreamConstraints = {
    audio: audio !== false && {
      echoCancellation,
      noiseSuppression,
      autoGainControl,
      ...(typeof audio === 'string' ? { deviceId: { exact: audio } } : {}),
    },
    video: video !== false && {
      width: { ideal: wishes.width },
      height: { ideal: wishes.height },
      frameRate: { ideal: wishes.frameRate },
      ...(typeof video === 'string' ? { deviceId: { exact: video } } : {}),
      ...(wishes.facingMode === undefined ? {} : { facingMode: wishes.facingMode }),
    },
  };
  return { ...derived, ...wishes.constraints };
}

function mediaDevices(): MediaDevices {
  const devices = (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
  if (devices === undefined) {
    throw new OTError(
      'OT_NOT_SUPPORTED',
      'This browser gives no access to cameras here; the page must be served over HTTPS.',
    );
  }
  return devices;
}

async function withoutMissing(
  devices: MediaDevices,
  wished: MediaStreamConstraints,
): Promise<MediaStreamConstraints | null> {
  const kinds = (await devices.enumerateDevices()).map(({ kind }) => kind);
  const audio = kinds.includes('audioinput') && wished.audio;
  const video = kinds.includes('videoinput') && wished.video;
  return (audio || video) && !(audio && video) ? { audio: audio || false, video: video || false } : null;
}

function captureError(thrown: unknown): OTError {
  const name = NAMES[nameOf(thrown)] ?? 'OT_UNABLE_TO_CAPTURE_MEDIA';
  const original = thrown instanceof Error ? thrown.message : String(thrown);
  const error = new OTError(name, MESSAGES[name] ?? original, undefined, { cause: thrown });
  error.originalName = nameOf(thrown);
  error.originalMessage = original;
  return error;
}

function nameOf(thrown: unknown): string {
  return typeof thrown === 'object' && thrown !== null && 'name' in thrown ? String(thrown.name) : '';
}

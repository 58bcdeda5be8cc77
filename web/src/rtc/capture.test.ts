import { afterEach, describe, expect, test, vi } from 'vitest';
import { errorOf } from '../testing/index.ts';
import { capture, captureScreen, constraintsFor, type CaptureWishes } from './capture.ts';

const WISHES: CaptureWishes = {
  audio: true,
  video: true,
  width: 640,
  height: 480,
  frameRate: 30,
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: false,
};

function devices(
  getUserMedia: (constraints: MediaStreamConstraints) => Promise<unknown>,
  kinds: readonly string[] = [],
): void {
  vi.stubGlobal('navigator', {
    mediaDevices: { getUserMedia, enumerateDevices: () => Promise.resolve(kinds.map((kind) => ({ kind }))) },
  });
}

afterEach(() => {
  vi.unstubAllGlobals();
});

test('wishes become constraints, and the application has the last word', () => {
  expect(constraintsFor({ ...WISHES, video: 'cam-2', facingMode: 'user' })).toEqual({
    audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: false },
    video: {
      width: { ideal: 640 },
      height: { ideal: 480 },
      frameRate: { ideal: 30 },
      deviceId: { exact: 'cam-2' },
      facingMode: 'user',
    },
  });
  expect(constraintsFor({ ...WISHES, audio: false })).toMatchObject({ audio: false });
  expect(constraintsFor({ ...WISHES, constraints: { video: { zoom: 2 } as MediaTrackConstraints } })).toMatchObject({
    video: { zoom: 2 },
  });
});

describe('failures have the names of the API', () => {
  test.each([
    ['NotAllowedError', 'OT_USER_MEDIA_ACCESS_DENIED'],
    ['SecurityError', 'OT_USER_MEDIA_ACCESS_DENIED'],
    ['NotReadableError', 'OT_HARDWARE_UNAVAILABLE'],
    ['OverconstrainedError', 'OT_CONSTRAINTS_NOT_SATISFIED'],
    ['TypeError', 'OT_NO_VALID_CONSTRAINTS'],
    ['SomethingElse', 'OT_UNABLE_TO_CAPTURE_MEDIA'],
  ])('%s is %s', async (browsers, ours) => {
    devices(() => Promise.reject(Object.assign(new Error('browser words'), { name: browsers })));
    expect(await errorOf(capture(WISHES))).toMatchObject({
      name: ours,
      code: 1500,
      originalName: browsers,
      originalMessage: 'browser words',
    });
  });

  test('neither audio nor video', async () => {
    devices(() => Promise.resolve({}));
    expect((await errorOf(capture({ ...WISHES, audio: false, video: false }))).name).toBe('OT_NO_VALID_CONSTRAINTS');
  });

  test('no access to devices at all', async () => {
    vi.stubGlobal('navigator', {});
    expect((await errorOf(capture(WISHES))).name).toBe('OT_NOT_SUPPORTED');
  });
});

describe('a missing device', () => {
  const missing = Object.assign(new Error('none'), { name: 'NotFoundError' });

  test('leaves the other medium', async () => {
    devices(
      ({ video }) => (video ? Promise.reject(missing) : Promise.resolve('sound alone')),
      ['audioinput', 'audiooutput'],
    );
    expect(await capture(WISHES)).toBe('sound alone');
  });

  test('is an error when there is none of either', async () => {
    devices(() => Promise.reject(missing), ['audiooutput']);
    expect((await errorOf(capture(WISHES))).name).toBe('OT_NO_DEVICES_FOUND');
  });
});

describe('a screen', () => {
  const LIMITS = { width: 1920, height: 1080, frameRate: 15, audio: false };

  test('is what the user picks', async () => {
    const asked: unknown[] = [];
    vi.stubGlobal('navigator', {
      mediaDevices: { getDisplayMedia: (wishes: unknown) => Promise.resolve(asked.push(wishes)) },
    });
    await captureScreen(LIMITS);
    expect(asked).toEqual([
      { audio: false, video: { width: { max: 1920 }, height: { max: 1080 }, frameRate: { ideal: 15 } } },
    ]);
  });

  test('is not there on phones', async () => {
    devices(() => Promise.resolve({}));
    expect(await errorOf(captureScreen(LIMITS))).toMatchObject({ name: 'OT_SCREEN_SHARING_NOT_SUPPORTED', code: 1550 });
  });

  test('is the first one in Electron', async () => {
    vi.stubGlobal('electron', { desktopCapturer: { getSources: () => Promise.resolve([{ id: 'screen:0' }]) } });
    devices(({ video }) => Promise.resolve(video));
    expect(await captureScreen(LIMITS)).toMatchObject({
      mandatory: { chromeMediaSourceId: 'screen:0', maxWidth: 1920 },
    });
    vi.stubGlobal('electron', { desktopCapturer: { getSources: () => Promise.resolve([]) } });
    expect((await errorOf(captureScreen(LIMITS))).name).toBe('OT_UNABLE_TO_CAPTURE_MEDIA');
  });
});

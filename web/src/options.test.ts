import { describe, expect, test } from 'vitest';
import { flag, publisherOptions, subscriberOptions, userMediaWishes, volume } from './options.ts';
import { LEVELS, setLevel } from './logger.ts';

setLevel(LEVELS.NONE);

describe('a publisher without properties', () => {
  test('is a mirrored camera of 264 by 198 with sound', () => {
    expect(publisherOptions({})).toMatchObject({
      name: '',
      publishAudio: true,
      publishVideo: true,
      mirror: true,
      insertMode: 'replace',
      insertDefaultUI: true,
      width: 264,
      height: 198,
      showControls: true,
      frameRate: undefined,
      sources: {
        videoKind: 'camera',
        capture: { audio: true, video: true, width: 640, height: 480, frameRate: 30, echoCancellation: true },
      },
    });
  });
});

describe('publisher properties', () => {
  test('a screen has the defaults of a screen', () => {
    expect(publisherOptions({ videoSource: 'screen' })).toMatchObject({
      sources: { videoKind: 'screen', maxWidth: 1920 },
      mirror: false,
      publishAudio: false,
      audioFallback: false,
    });
  });

  test('a device is named by id or by object', () => {
    expect(
      publisherOptions({ videoSource: 'cam-2', audioSource: { deviceId: 'mic-1' } }).sources.capture,
    ).toMatchObject({
      video: 'cam-2',
      audio: 'mic-1',
    });
  });

  test('null and false leave a medium out', () => {
    expect(publisherOptions({ videoSource: null, audioSource: false })).toMatchObject({
      sources: { videoKind: 'none', capture: { video: false, audio: false } },
    });
  });

  test('resolution, frame rate and bitrate are taken when they are lawful', () => {
    expect(publisherOptions({ resolution: '1280x720', frameRate: 15, audioBitrate: 32_000 })).toMatchObject({
      sources: { capture: { width: 1280, height: 720, frameRate: 15 } },
      frameRate: 15,
      audioBitrateBps: 32_000,
    });
    expect(publisherOptions({ resolution: '1x1', frameRate: 24, audioBitrate: 5 })).toMatchObject({
      sources: { capture: { width: 640, height: 480, frameRate: 30 } },
      frameRate: undefined,
      audioBitrateBps: undefined,
    });
  });

  test('one switch turns all audio processing off', () => {
    expect(publisherOptions({ disableAudioProcessing: true, echoCancellation: true }).sources.capture).toMatchObject({
      echoCancellation: false,
      noiseSuppression: false,
      autoGainControl: false,
    });
  });

  test('sizes may be CSS', () => {
    expect(publisherOptions({ width: '100%', height: Number.NaN })).toMatchObject({ width: '100%', height: 198 });
  });
});

test('subscriber properties', () => {
  expect(subscriberOptions({}, 50)).toMatchObject({ subscribeToAudio: true, subscribeToVideo: true, audioVolume: 50 });
  expect(subscriberOptions({ subscribeToAudio: 'false', audioVolume: -3 }, 100)).toMatchObject({
    subscribeToAudio: false,
    audioVolume: 0,
  });
});

test('getUserMedia takes the capture part of them', () => {
  expect(userMediaWishes({ videoSource: null, frameRate: 7 })).toMatchObject({
    audio: true,
    video: false,
    frameRate: 7,
  });
});

test('flags and volumes of older applications', () => {
  expect([flag('false', true), flag('true', false), flag(undefined, true), flag(null, false), flag(0, true)]).toEqual([
    false,
    true,
    true,
    false,
    false,
  ]);
  expect([volume('30'), volume(130), volume('loud'), volume(''), volume(null)]).toEqual([
    30,
    100,
    undefined,
    undefined,
    undefined,
  ]);
});

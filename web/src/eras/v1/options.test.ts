import { describe, expect, test } from 'vitest';
import { publisherWishes, subscriberWishes } from './options.ts';

const resolutionOf = (given: object): unknown => publisherWishes({ ...given }).properties['resolution'];

describe('the properties of a Publisher', () => {
  test.each([
    [{}, undefined],
    [{ encodedWidth: 640, encodedHeight: 480 }, '640x480'],
    [{ encodedWidth: 320 }, '320x240'],
    [{ encodedHeight: 264 }, '320x240'],
    [{ encodedWidth: 1 }, '320x240'],
    [{ encodedWidth: 500 }, '640x480'],
    [{ encodedHeight: '400' }, '640x480'],
    [{ encodedWidth: 300, encodedHeight: 9999 }, '320x240'],
  ])('%o are encoded as %s', (given, resolution) => {
    expect(resolutionOf(given)).toBe(resolution);
  });

  test('name devices, and how loud the microphone is', () => {
    expect(publisherWishes({}).devices).toEqual({
      cameraName: undefined,
      microphoneName: undefined,
      microphoneGain: 50,
    });
    expect(publisherWishes({ cameraName: 'Front', microphoneName: '', microphoneGain: '130' }).devices).toEqual({
      cameraName: 'Front',
      microphoneName: undefined,
      microphoneGain: 100,
    });
  });

  test('show what is in effect, and are a copy', () => {
    const given = { microphoneEnabled: false, width: '12em', name: 'me' };
    const { effective, properties } = publisherWishes(given);
    expect(effective).toMatchObject({ name: 'me', publishAudio: false, publishVideo: true, mirror: true, width: 12 });
    expect(properties).not.toBe(given);
    expect(given).toEqual({ microphoneEnabled: false, width: '12em', name: 'me' });
  });

  test.each(['name', 'data'])('may not have a %s of more than 1000 characters', (key) => {
    expect(() => publisherWishes({ [key]: 'x'.repeat(1001) })).toThrow(key);
    expect(() => publisherWishes({ [key]: 'x'.repeat(1000) })).not.toThrow();
  });
});

test('a size that is no number is left to the default', () => {
  expect(subscriberWishes({ width: 'wide', height: '150px' })).toEqual({ width: undefined, height: 150 });
});

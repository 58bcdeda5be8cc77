import { expect, test } from 'vitest';
import { errorOf, FakeTrack } from '../testing/index.ts';
import { checkFilter, setFilter } from './filters.ts';

const BLUR = { type: 'backgroundBlur', blurStrength: 'low' };

test('a filter of the browser is a constraint, and is taken off again', async () => {
  const track = new FakeTrack('video');
  track.capabilities = { backgroundBlur: [true, false] };
  await setFilter(track as unknown as MediaStreamTrack, null, BLUR);
  expect(track.constraints).toEqual({ backgroundBlur: true });
  await setFilter(track as unknown as MediaStreamTrack, BLUR, null);
  expect(track.constraints).toEqual({ backgroundBlur: false });
});

test('what the device cannot do is not supported and changes nothing', async () => {
  const track = new FakeTrack('video');
  const error = await errorOf(setFilter(track as unknown as MediaStreamTrack, null, BLUR));
  expect(error.name).toBe('OT_NOT_SUPPORTED');
  expect(track.constraints).toEqual({});
});

test.each([null, {}, 'x', { type: 'sepia' }, { type: 'backgroundReplacement' }, { ...BLUR, blurStrength: 'huge' }])(
  '%o is no filter for video',
  (value) => {
    expect(() => checkFilter('video', value)).toThrow();
  },
);

test('filters are of their kind', () => {
  expect(checkFilter('audio', { type: 'advancedNoiseSuppression' }).type).toBe('advancedNoiseSuppression');
  expect(() => checkFilter('audio', BLUR)).toThrow();
});

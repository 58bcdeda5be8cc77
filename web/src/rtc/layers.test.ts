import { expect, it } from 'vitest';

import { isRouted, layersOf, limited, needed, refitted, scalabilityOf, withoutLayers } from './layers.ts';

const scales = (width: number, height: number, codecs?: readonly string[]): number[] =>
  layersOf({ width, height }, codecs).map(({ scaleResolutionDownBy }) => scaleResolutionDownBy);

it('makes three layers of a large picture, two of a usual one and one of a small one, in either orientation', () => {
  expect(scales(1280, 720)).toEqual([4, 2, 1]);
  expect(scales(720, 1280)).toEqual([4, 2, 1]);
  expect(scales(640, 480)).toEqual([2, 1]);
  expect(scales(640, 360)).toEqual([2, 1]);
  expect(scales(320, 240)).toEqual([]);
  expect(layersOf({})).toEqual([]);
});

it('makes no layers for a codec that has its own', () => {
  expect(scales(1280, 720, ['vp9', 'vp8'])).toEqual([]);
  expect(scales(1280, 720, ['h264', 'vp9'])).toEqual([4, 2, 1]);
});

it('gives each layer a bitrate for its size, within the limit of all', () => {
  const layers = layersOf({ width: 1280, height: 720 });
  expect(layers.map(({ maxBitrate }) => maxBitrate)).toEqual([155_520, 622_080, 2_488_320]);
  expect(limited(layers, undefined)).toEqual([155_520, 622_080, 2_488_320]);
  expect(limited(layers, 10_000_000)).toEqual([155_520, 622_080, 2_488_320]);
  const halved = limited(layers, (155_520 + 622_080 + 2_488_320) / 2);
  expect(halved).toEqual([77_760, 311_040, 1_244_160]);
  expect(layersOf({ width: 1920, height: 1080 }).at(-1)?.maxBitrate).toBe(4_000_000);
});

it('sends the whole of a picture that became smaller in the uppermost of the layers that are left', () => {
  const of720 = layersOf({ width: 1280, height: 720 });
  const refit = (width: number, height: number): [number, number[]] => {
    const { layers, count } = refitted(of720, { width, height });
    return [count, layers.map(({ scaleResolutionDownBy }) => scaleResolutionDownBy)];
  };
  expect(refit(1280, 720)).toEqual([3, [4, 2, 1]]);
  expect(refit(640, 480)).toEqual([2, [2, 1, 1]]);
  expect(refit(480, 640)).toEqual([2, [2, 1, 1]]);
  expect(refit(320, 240)).toEqual([1, [1, 1, 1]]);
  expect(refitted(of720, { width: 320, height: 240 }).layers.map(({ rid }) => rid)).toEqual(['q', 'h', 'f']);
  expect(refitted(of720, { width: 640, height: 360 }).layers[1]?.maxBitrate).toBe(622_080);
});

it('sends what is wanted, the smallest always, and the whole of a smaller picture to those who want more than it has', () => {
  const layers = layersOf({ width: 1280, height: 720 });
  expect(needed(layers, 3, [])).toEqual(['q', 'h', 'f']);
  expect(needed(layers, 3, ['q', 'h'])).toEqual(['q', 'f']);
  expect(needed(layers, 2, [])).toEqual(['q', 'h']);
  expect(needed(layers, 2, ['h'])).toEqual(['q', 'h']);
  expect(needed(layers, 2, ['h', 'f'])).toEqual(['q']);
  expect(needed(layers, 1, ['h', 'f'])).toEqual(['q']);
  expect(needed([], 0, ['h'])).toEqual([]);
});

it('makes no more layers of a picture that became larger, but lets them take more', () => {
  const { layers, count } = refitted(layersOf({ width: 640, height: 480 }), { width: 1280, height: 720 });
  expect(count).toBe(2);
  expect(layers).toEqual([
    { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 622_080 },
    { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 2_488_320 },
  ]);
});

it('knows a relayed session by its id', () => {
  expect(isRouted('2_MX4xMDB-fn4')).toBe(true);
  expect(isRouted('1_MX4xMDB-fn4')).toBe(false);
});

it('sends layers inside one stream where the codec has them, and a screen in its own size', () => {
  const large = { width: 1280, height: 720 };
  expect(scalabilityOf(large, ['vp9'])).toBe('L3T3_KEY');
  expect(scalabilityOf({ width: 360, height: 640 }, ['av1', 'vp8'])).toBe('L2T3_KEY');
  expect(scalabilityOf({ width: 320, height: 180 }, ['vp9'])).toBe('L1T3');
  expect(scalabilityOf(large, ['vp9'], true)).toBe('L1T3');
  expect(scalabilityOf(large, ['vp8', 'vp9'])).toBeUndefined();
  expect(scalabilityOf(large)).toBeUndefined();
});

it('leaves the upper spatial layers of one stream out, and makes the picture that is left as large as it was', () => {
  const left = (mode: string, ...paused: string[]): [string, number] => {
    const { scalabilityMode, scaleResolutionDownBy } = withoutLayers(mode, paused);
    return [scalabilityMode, scaleResolutionDownBy];
  };
  expect(left('L3T3_KEY')).toEqual(['L3T3_KEY', 1]);
  expect(left('L3T3_KEY', 'S2')).toEqual(['L2T3_KEY', 2]);
  expect(left('L3T3_KEY', 'S1', 'S2')).toEqual(['L1T3', 4]);
  expect(left('L3T2', 'S1')).toEqual(['L1T2', 4]);
  expect(left('L3T1', 'S2')).toEqual(['L2T1', 2]);
  expect(left('L2T3_KEY', 'S1', 'S2')).toEqual(['L1T3', 2]);
  expect(left('L2T3_KEY', 'S2', 'q')).toEqual(['L2T3_KEY', 1]);
  expect(left('L1T3', 'S1')).toEqual(['L1T3', 1]);
});

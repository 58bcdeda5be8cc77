import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { subscriberOptions } from '../options.ts';
import type { SubscriptionWishes } from '../wire/index.ts';
import { SubscriberWishes } from './subscriber-wishes.ts';

type Moved = (entries: { isIntersecting: boolean }[]) => void;

/** What the browser says of the one element that is watched. */
class Sight {
  readonly video = document.createElement('video');
  private resized: (() => void) | null = null;
  private moved: Moved | null = null;

  constructor() {
    const observing = (watch: (callback: unknown) => void) =>
      function (callback: unknown): object {
        watch(callback);
        return {
          observe: vi.fn(),
          disconnect: () => {
            watch(null);
          },
        };
      };
    const resizing = observing((callback) => (this.resized = callback as () => void));
    const moving = observing((callback) => (this.moved = callback as Moved));
    vi.stubGlobal('ResizeObserver', resizing);
    vi.stubGlobal('IntersectionObserver', moving);
  }

  resize(width: number, height: number): void {
    Object.defineProperties(this.video, {
      clientWidth: { value: width, configurable: true },
      clientHeight: { value: height, configurable: true },
    });
    this.resized?.();
  }

  scroll(isIntersecting: boolean): void {
    this.moved?.([{ isIntersecting }]);
  }

  cover(hidden: boolean): void {
    Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }

  get watched(): boolean {
    return this.resized !== null || this.moved !== null;
  }
}

let sight: Sight;
let told: SubscriptionWishes[];
let all: SubscriberWishes[];

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('devicePixelRatio', 2);
  sight = new Sight();
  told = [];
  all = [];
});
afterEach(() => {
  for (const wishes of all) wishes.stop();
  vi.useRealTimers();
  Reflect.deleteProperty(document, 'hidden');
  Reflect.deleteProperty(document, 'pictureInPictureElement');
  vi.unstubAllGlobals();
});

function wishing(properties: Readonly<Record<string, unknown>>): SubscriberWishes {
  const wishes = new SubscriberWishes(subscriberOptions(properties, 100), () => told.push(wishes.toWire()));
  all.push(wishes);
  wishes.watch(sight.video);
  return wishes;
}

const inWindow = (value: HTMLVideoElement | null): void => {
  Object.defineProperty(document, 'pictureInPictureElement', { value, configurable: true });
};
const size = (): unknown => told.at(-1)?.resolution;
const LEAST = { resolution: { width: 1, height: 1 }, frameRate: 1 };

test('auto asks for the size of the element in device pixels, once that has settled', () => {
  wishing({ preferredResolution: 'auto' });
  sight.resize(100, 50);
  vi.advanceTimersByTime(200);
  sight.resize(160, 90);
  vi.advanceTimersByTime(200);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(100);
  expect(told).toEqual([{ audio: true, video: true, resolution: { width: 320, height: 180 } }]);
});

test.each([
  [
    'out of the viewport',
    (gone: boolean) => {
      sight.scroll(!gone);
    },
  ],
  [
    'in a page that is not shown',
    (gone: boolean) => {
      sight.cover(gone);
    },
  ],
])('an element %s gets the least after a second, and its size at once when it is seen again', (_, hide) => {
  wishing({ preferredResolution: 'auto' });
  sight.resize(160, 90);
  vi.advanceTimersByTime(300);
  hide(true);
  vi.advanceTimersByTime(900);
  hide(false);
  vi.advanceTimersByTime(5000);
  expect(told).toHaveLength(1);
  hide(true);
  vi.advanceTimersByTime(1000);
  expect(told.at(-1)).toMatchObject(LEAST);
  hide(false);
  expect(told).toHaveLength(3);
  expect(told.at(-1)).toEqual(told[0]);
});

test('an element that was hidden for two reasons is seen when both are gone', () => {
  wishing({ preferredResolution: 'auto' });
  sight.scroll(false);
  sight.cover(true);
  vi.advanceTimersByTime(1000);
  sight.scroll(true);
  expect(told).toHaveLength(1);
  sight.cover(false);
  expect(told).toHaveLength(2);
});

test('an element that is not rendered has no size, and comes back in the one that it had', () => {
  wishing({ preferredResolution: 'auto' });
  sight.resize(160, 90);
  vi.advanceTimersByTime(300);
  sight.resize(0, 0);
  sight.scroll(false);
  vi.advanceTimersByTime(1300);
  expect(size()).toEqual(LEAST.resolution);
  sight.scroll(true);
  expect(size()).toEqual({ width: 320, height: 180 });
});

test('a picture in a window of its own is seen whatever its page does', () => {
  wishing({ preferredResolution: 'auto' });
  inWindow(sight.video);
  sight.cover(true);
  vi.advanceTimersByTime(5000);
  expect(told).toEqual([]);
  inWindow(null);
  sight.video.dispatchEvent(new Event('leavepictureinpicture'));
  vi.advanceTimersByTime(1000);
  expect(told.at(-1)).toMatchObject(LEAST);
});

test('what the application asks for holds whether the element is seen or not', () => {
  const fixed = wishing({ preferredResolution: { width: 640, height: 360 } });
  expect(sight.watched).toBe(false);
  expect(fixed.toWire().resolution).toEqual({ width: 640, height: 360 });
  const rated = wishing({ preferredResolution: 'auto', preferredFrameRate: 15 });
  sight.scroll(false);
  vi.advanceTimersByTime(1000);
  expect(rated.toWire()).toMatchObject({ resolution: LEAST.resolution, frameRate: 15 });
});

test('nothing is watched any more when the application names a size, or the Subscriber ends', async () => {
  const wishes = wishing({ preferredResolution: 'auto' });
  sight.scroll(false);
  await wishes.setResolution(null);
  expect(sight.watched).toBe(false);
  expect(told).toEqual([{ audio: true, video: true }]);
  await wishes.setResolution('auto');
  expect(sight.watched).toBe(true);
  wishes.stop();
  expect(sight.watched).toBe(false);
  sight.cover(true);
  vi.advanceTimersByTime(5000);
  expect(told).toHaveLength(2);
});

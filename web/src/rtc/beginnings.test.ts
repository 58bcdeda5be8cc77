import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { reached, whenPictureBegins, whenSoundBegins, type Receiver } from './index.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

class FakeReceiver implements Receiver {
  readonly track = {} as MediaStreamTrack;
  newest: number | null = null;

  getStats(): Promise<RTCStatsReport> {
    return Promise.resolve(new Map() as unknown as RTCStatsReport);
  }

  getSynchronizationSources(): { rtpTimestamp: number; timestamp: number }[] {
    return this.newest === null
      ? []
      : [
          { rtpTimestamp: 1, timestamp: 1 },
          { rtpTimestamp: this.newest, timestamp: 2 },
        ];
  }
}

/** A video that presents frames when told to. */
class FakeVideo {
  private callbacks: VideoFrameRequestCallback[] = [];

  requestVideoFrameCallback(callback: VideoFrameRequestCallback): number {
    return this.callbacks.push(callback);
  }

  present(rtpTimestamp?: number): void {
    const waiting = this.callbacks;
    this.callbacks = [];
    for (const callback of waiting) callback(0, { rtpTimestamp } as VideoFrameCallbackMetadata);
  }
}

test('RTP timestamps are compared mod 2^32', () => {
  expect(reached(100, 100)).toBe(true);
  expect(reached(99, 100)).toBe(false);
  expect(reached(5, 0xffff_fff0)).toBe(true);
  expect(reached(0xffff_fff0, 5)).toBe(false);
});

describe('a picture', () => {
  function watch(from: number | null): {
    video: FakeVideo;
    receiver: FakeReceiver;
    begun: () => number;
    stop: () => void;
  } {
    const video = new FakeVideo();
    const receiver = new FakeReceiver();
    const begin = vi.fn();
    const stop = whenPictureBegins(video as unknown as HTMLVideoElement, receiver, from, begin);
    return { video, receiver, begun: () => begin.mock.calls.length, stop };
  }

  test('begins with the first frame of its binding and not with one of the binding before', () => {
    const { video, begun } = watch(1000);
    video.present(900);
    video.present(999);
    expect(begun()).toBe(0);
    video.present(1000);
    video.present(4000);
    expect(begun()).toBe(1);
  });

  test('on a pair that was never bound begins with any frame', () => {
    const { video, begun } = watch(null);
    video.present();
    expect(begun()).toBe(1);
  });

  test('without timestamps of frames begins one frame after the receiver has reached the binding', () => {
    const { video, receiver, begun } = watch(1000);
    receiver.newest = 900;
    video.present();
    video.present();
    receiver.newest = 1000;
    video.present(); // may still be the last frame of the stream before
    expect(begun()).toBe(0);
    video.present();
    expect(begun()).toBe(1);
  });

  test('that was given up never begins', () => {
    const { video, begun, stop } = watch(null);
    stop();
    video.present(5);
    expect(begun()).toBe(0);
  });
});

describe('a sound', () => {
  test('begins when the newest sample is at or past the binding', () => {
    const receiver = new FakeReceiver();
    const begin = vi.fn();
    whenSoundBegins(receiver, 500, begin);
    vi.advanceTimersByTime(1000);
    receiver.newest = 499;
    vi.advanceTimersByTime(1000);
    expect(begin).not.toHaveBeenCalled();
    receiver.newest = 500;
    vi.advanceTimersByTime(50);
    vi.advanceTimersByTime(1000);
    expect(begin).toHaveBeenCalledTimes(1);
  });

  test('on a pair that was never bound begins at once, and one that was given up never', () => {
    const begin = vi.fn();
    whenSoundBegins(new FakeReceiver(), null, begin);
    expect(begin).toHaveBeenCalledTimes(1);
    const receiver = new FakeReceiver();
    const stop = whenSoundBegins(receiver, 1, begin);
    stop();
    receiver.newest = 2;
    vi.advanceTimersByTime(1000);
    expect(begin).toHaveBeenCalledTimes(1);
  });
});

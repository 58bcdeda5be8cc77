import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { v2 } from '../eras/index.ts';
import { AudioAcquisition } from './audio-acquisition.ts';
import { Emitter } from './emitter.ts';

let told: number;
let acquisition: AudioAcquisition;

class Microphone extends EventTarget {
  readyState = 'live';

  constructor(public muted: boolean) {
    super();
  }

  become(type: 'mute' | 'unmute'): void {
    this.muted = type === 'mute';
    this.dispatchEvent(new globalThis.Event(type));
  }
}

const microphone = (muted = false): Microphone & MediaStreamTrack =>
  new Microphone(muted) as unknown as Microphone & MediaStreamTrack;

beforeEach(() => {
  vi.useFakeTimers();
  told = 0;
  const emitter = new Emitter(v2);
  emitter.on('audioAcquisitionProblem', () => (told += 1));
  acquisition = new AudioAcquisition(emitter);
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (seconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(seconds * 1000);

test('a microphone that begins mute and stays so is told, once', async () => {
  acquisition.watch(microphone(true));
  await pass(1);
  expect(told).toBe(0);
  await pass(60);
  expect(told).toBe(1);
});

test('one that is taken away in mid-call is told', async () => {
  const track = microphone();
  acquisition.watch(track);
  await pass(10);
  track.become('mute');
  await pass(3);
  expect(told).toBe(1);
});

test('a moment is not told, nor is a microphone that has been replaced', async () => {
  const track = microphone(true);
  acquisition.watch(track);
  await pass(1);
  track.become('unmute');
  await pass(10);
  track.become('mute');
  acquisition.watch(microphone());
  await pass(10);
  acquisition.watch(null);
  expect(told).toBe(0);
});

import { expect, test } from 'vitest';

import { PlayoutDelays, type PlayoutPair } from './playout.ts';

function pair(mid: string, hasTarget = true): PlayoutPair {
  const receiver = () => (hasTarget ? { jitterBufferTarget: null } : {});
  return { audio: { receiver: receiver() }, video: { mid, receiver: receiver() } };
}

function lossy(delays: PlayoutDelays, mid: string, pairs: readonly PlayoutPair[]): void {
  for (let n = 1; n <= 8; n += 1) {
    delays.note(
      [
        { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.05 },
        { type: 'inbound-rtp', kind: 'audio', mid: 'a', timestamp: 500 * n, packetsReceived: 25 * n, nackCount: 9 * n },
        { type: 'inbound-rtp', kind: 'video', mid, timestamp: 500 * n, packetsReceived: 25 * n, nackCount: 5 * n },
      ],
      pairs,
    );
  }
}

test('picture and sound of the stream that loses packets wait, and no others', () => {
  const pairs = [pair('1'), pair('3')];
  lossy(new PlayoutDelays(), '3', pairs);
  const targets = pairs.map(({ audio, video }) => [
    audio.receiver.jitterBufferTarget,
    video.receiver.jitterBufferTarget,
  ]);
  expect(targets).toEqual([
    [null, null],
    [370, 370],
  ]);
});

test('a browser without the property is left alone', () => {
  const pairs = [pair('3', false)];
  lossy(new PlayoutDelays(), '3', pairs);
  expect(pairs).toEqual([pair('3', false)]);
});

import { describe, expect, test } from 'vitest';
import { Rates, ReceivedCounters, receivedStats, sentStats, type Report } from './media-stats.ts';

function inbound(counters: Record<string, unknown>): Report {
  return new Map([
    ['in', { type: 'inbound-rtp', codecId: 'c', timestamp: 1000, ...counters }],
    ['c', { type: 'codec', mimeType: 'video/VP8' }],
  ]);
}

const NOTHING: Report = new Map();

describe("a subscriber's counters", () => {
  test('leave out what the slot counted before the bind', () => {
    const counters = new ReceivedCounters();
    counters.begin(inbound({ bytesReceived: 5000, packetsReceived: 50 }));
    expect(counters.read(inbound({ bytesReceived: 5600, packetsReceived: 56 }))).toMatchObject({
      bytesReceived: 600,
      packetsReceived: 6,
    });
  });

  test('go on over several bindings', () => {
    const counters = new ReceivedCounters();
    counters.begin(NOTHING);
    counters.read(inbound({ bytesReceived: 300 }));
    counters.end();
    counters.begin(inbound({ bytesReceived: 9000 }));
    expect(counters.read(inbound({ bytesReceived: 9100 })).bytesReceived).toBe(400);
  });

  test('are never below zero', () => {
    const counters = new ReceivedCounters();
    counters.begin(inbound({ packetsLost: 7 }));
    expect(counters.read(inbound({ packetsLost: 5 })).packetsLost).toBe(0);
  });
});

test('rates are growth per second, and 0 at first', () => {
  const rates = new Rates();
  expect([
    rates.of('x', 100, 1000),
    rates.of('x', 350, 1500),
    rates.of('x', 350, 2500),
    rates.of('x', 0, 3000),
  ]).toEqual([0, 500, 0, 0]);
});

test('a subscriber reads media that the stream has, with codec, size and rates', () => {
  const counters = { audio: new ReceivedCounters(), video: new ReceivedCounters() };
  const rates = new Rates();
  const read = (bytes: number, at: number, lost = 0): ReturnType<typeof receivedStats> =>
    receivedStats(
      {
        audio: NOTHING,
        video: inbound({
          timestamp: at,
          bytesReceived: bytes,
          packetsReceived: bytes / 100,
          packetsLost: lost,
          frameWidth: 640,
          frameHeight: 480,
          freezeCount: 1,
        }),
      },
      counters,
      rates,
      { audio: false, video: true },
    );
  read(1000, 1000);
  const stats = read(11_000, 2000);
  expect(stats.audio).toBeUndefined();
  expect(stats.video).toMatchObject({ codec: 'VP8', width: 640, height: 480, bitrate: 80_000, freezeCount: 1 });
  expect('pauseCount' in (stats.video ?? {})).toBe(false);
  expect(stats.mediaLink.transport).toMatchObject({ networkCondition: 'excellent', networkConditionReason: 'none' });
  expect(read(21_000, 3000, 30).mediaLink.transport).toMatchObject({
    networkCondition: 'critical',
    networkConditionReason: 'packetLoss',
  });
});

test("a publisher's layers, losses and bandwidth", () => {
  const video: Report = new Map<string, Record<string, unknown>>([
    [
      'a',
      {
        type: 'outbound-rtp',
        codecId: 'c',
        timestamp: 1,
        bytesSent: 10,
        packetsSent: 1,
        frameWidth: 320,
        framesPerSecond: 15,
      },
    ],
    ['b', { type: 'outbound-rtp', codecId: 'c', timestamp: 1, bytesSent: 20, packetsSent: 2, scalabilityMode: 'L1T3' }],
    ['r', { type: 'remote-inbound-rtp', packetsLost: 3 }],
    ['p', { type: 'candidate-pair', nominated: true, availableOutgoingBitrate: 500_000 }],
    ['c', { type: 'codec', mimeType: 'video/VP9' }],
  ]);
  const stats = sentStats({ audio: null, video }, new Rates());
  expect(stats.audio).toBeUndefined();
  expect(stats.video).toMatchObject({ bytesSent: 30, packetsSent: 3, packetsLost: 3, frameRate: 15 });
  expect(stats.video?.layers).toMatchObject([
    { codec: 'VP9', width: 320 },
    { codec: 'VP9', scalabilityMode: 'L1T3' },
  ]);
  expect(stats.mediaLink.transport.connectionEstimatedBandwidth).toBe(500_000);
  expect(stats.transportStats).toBe(stats.mediaLink.transport);
});

import { describe, expect, test } from 'vitest';
import { Rates, ReceivedCounters, receivedStats, SentEstimates, sentStats, type Report } from './media-stats.ts';

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

describe("what a publisher's network bears", () => {
  const outbound = (...targets: number[]): Report =>
    new Map([
      ...targets.map(
        (targetBitrate, layer) => [`out ${layer}`, { type: 'outbound-rtp', targetBitrate }] as [string, object],
      ),
      ['pair', { type: 'candidate-pair', nominated: true, availableOutgoingBitrate: 812_345.6 }],
    ] as [string, Record<string, unknown>][]);
  const none = { audio: undefined, video: undefined };

  test('is the estimate, and the most that the encoders were given of all layers so far', () => {
    const estimates = new SentEstimates();
    estimates.read({ audio: outbound(32_000), video: outbound(500_000, 150_000) }, none);
    expect(estimates.read({ audio: outbound(30_000), video: outbound(200_000, 0) }, none)).toEqual({
      maxAllocatedBitrate: 682_000,
      estimatedBandwidth: 812_346,
    });
  });

  test('is bounded by the limits of the application, and has no part of a medium that is not sent', () => {
    const reports = { audio: null, video: outbound(500_000) };
    expect(new SentEstimates().read(reports, { audio: 40_000, video: 300_000 }).maxAllocatedBitrate).toBe(300_000);
  });

  test('is 0 where the browser does not say, and never more than the wire takes', () => {
    expect(new SentEstimates().read({ audio: NOTHING, video: null }, none)).toEqual({
      maxAllocatedBitrate: 0,
      estimatedBandwidth: 0,
    });
    expect(new SentEstimates().read({ audio: null, video: outbound(1e12) }, none).maxAllocatedBitrate).toBe(
      2 ** 32 - 1,
    );
  });
});

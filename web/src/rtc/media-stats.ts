/**
 * What the browser's statistics become for an application. Pure.
 *
 * A slot's receivers count on when another stream is bound to them: what stood there at the bind is taken off, and what
 * was counted in an earlier binding of the same subscriber is added.
 */

import type { SenderEstimates } from '../wire/index.ts';

export type Report = Iterable<readonly [string, Readonly<Record<string, unknown>>]>;

export type NetworkCondition = 'unknown' | 'critical' | 'warning' | 'fair' | 'good' | 'excellent';
export type ConditionReason = 'none' | 'unknown' | 'bandwidth' | 'packetLoss';

export interface TransportStats {
  /** Bits per second; 0 when the browser has no estimate. */
  readonly connectionEstimatedBandwidth: number;
  readonly networkCondition: NetworkCondition;
  readonly networkConditionReason: ConditionReason;
}

export interface SentMedium {
  readonly bytesSent: number;
  readonly packetsSent: number;
  readonly packetsLost: number;
}

export interface SentLayer {
  readonly codec: string;
  readonly width: number;
  readonly height: number;
  readonly encodedFrameRate: number;
  /** Bits per second, of the media and with everything around it. */
  readonly bitrate: number;
  readonly totalBitrate: number;
  readonly scalabilityMode?: string;
  readonly qualityLimitationReason?: string;
}

export interface PublisherStats {
  readonly timestamp: number;
  readonly audio?: SentMedium;
  readonly video?: SentMedium & { readonly frameRate: number; readonly layers: readonly SentLayer[] };
  readonly mediaLink: { readonly transport: TransportStats };
  readonly transportStats: TransportStats;
}

export interface ReceivedMedium {
  readonly bytesReceived: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
}

export interface ReceivedVideo extends ReceivedMedium {
  readonly codec: string;
  readonly width: number;
  readonly height: number;
  readonly bitrate: number;
  readonly totalBitrate: number;
  readonly frameRate: number;
  readonly decodedFrameRate: number;
  readonly pauseCount?: number;
  readonly totalPausesDuration?: number;
  readonly freezeCount?: number;
  readonly totalFreezesDuration?: number;
}

export interface SubscriberStats {
  readonly timestamp: number;
  readonly audio?: ReceivedMedium;
  readonly video?: ReceivedVideo;
  readonly mediaLink: {
    readonly transport: TransportStats;
    readonly remotePublisherTransport: TransportStats;
    readonly networkDegradationSource: 'none' | 'bothOrUnclear' | 'local' | 'remote';
  };
  /** Only of a publisher with `publishSenderStats`, once its client has said something. */
  readonly senderStats?: SenderStats;
}

/** What the publisher's browser believes of its own network, in bits per second; 0 where it does not say. */
export interface SenderStats {
  readonly connectionMaxAllocatedBitrate: number;
  readonly connectionEstimatedBandwidth: number;
}

/** Counters that grow as long as a receiver lives. */
const COUNTERS = [
  'bytesReceived',
  'headerBytesReceived',
  'packetsReceived',
  'packetsLost',
  'framesDecoded',
  'framesDropped',
  'freezeCount',
  'totalFreezesDuration',
  'pauseCount',
  'totalPausesDuration',
] as const;
type Counter = (typeof COUNTERS)[number];
type Counters = Record<Counter, number>;

type Medium = 'audio' | 'video';
type Entry = Readonly<Record<string, unknown>>;

const NO_COUNTERS = Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Counters;

/** The counters of one medium of one subscriber, over all the slots that it was bound to. */
export class ReceivedCounters {
  private base: Counters = NO_COUNTERS;
  private carried: Counters = NO_COUNTERS;
  private newest: Counters = NO_COUNTERS;

  /** A binding begins; `report` is what the receiver has counted so far. */
  begin(report: Report): void {
    this.end();
    this.base = countersOf(find(report, 'inbound-rtp'));
    this.newest = this.base;
  }

  /** The binding is over. */
  end(): void {
    this.carried = sum(this.carried, difference(this.newest, this.base));
    this.base = this.newest = NO_COUNTERS;
  }

  /** The subscriber's own counters, given what the receiver has counted. */
  read(report: Report): Counters {
    this.newest = countersOf(find(report, 'inbound-rtp'));
    return sum(this.carried, difference(this.newest, this.base));
  }
}

/** Turns two readings into rates. */
export class Rates {
  private readonly before = new Map<string, { readonly at: number; readonly value: number }>();

  /** Growth per second since the reading before; 0 at the first. `at` in milliseconds. */
  of(name: string, value: number, at: number): number {
    const before = this.before.get(name);
    if (before === undefined || at > before.at) this.before.set(name, { at, value });
    if (before === undefined || at <= before.at) return 0;
    return Math.max(0, (value - before.value) / ((at - before.at) / 1000));
  }
}

/** One subscriber's statistics. `wanted` leaves a medium out that the stream has not. */
export function receivedStats(
  reports: Readonly<Record<Medium, Report>>,
  counters: Readonly<Record<Medium, ReceivedCounters>>,
  rates: Rates,
  wanted: Readonly<Record<Medium, boolean>>,
): SubscriberStats {
  const audio = counters.audio.read(reports.audio);
  const video = counters.video.read(reports.video);
  const entry = find(reports.video, 'inbound-rtp');
  const timestamp = number(entry ?? find(reports.audio, 'inbound-rtp') ?? {}, 'timestamp') || Date.now();
  const lost = rates.of('lost', audio.packetsLost + video.packetsLost, timestamp);
  const received = rates.of('received', audio.packetsReceived + video.packetsReceived, timestamp);
  const transport = transportStats(find(reports.video, 'candidate-pair', 'nominated'), share(lost, received));
  return {
    timestamp,
    ...(wanted.audio ? { audio: medium(audio) } : {}),
    ...(wanted.video ? { video: receivedVideo(entry ?? {}, video, reports.video, rates, timestamp) } : {}),
    mediaLink: {
      transport,
      remotePublisherTransport: UNKNOWN_TRANSPORT,
      networkDegradationSource: degradation(transport.networkCondition),
    },
  };
}

/** One publisher's statistics, from the reports of its senders. */
export function sentStats(
  reports: Readonly<Record<Medium, Report | null>>,
  rates: Rates,
  maxBitrateBps?: number,
): PublisherStats {
  const all = [...(reports.audio ?? []), ...(reports.video ?? [])];
  const timestamp = number(find(all, 'outbound-rtp') ?? {}, 'timestamp') || Date.now();
  const audio = reports.audio && sentMedium(reports.audio);
  const video = reports.video && sentMedium(reports.video);
  const lost = rates.of('lost', (audio?.packetsLost ?? 0) + (video?.packetsLost ?? 0), timestamp);
  const sent = rates.of('sent', (audio?.packetsSent ?? 0) + (video?.packetsSent ?? 0), timestamp);
  const transport = transportStats(find(all, 'candidate-pair', 'nominated'), share(lost, sent), maxBitrateBps);
  return {
    timestamp,
    ...(audio ? { audio } : {}),
    ...(video && reports.video ? { video: { ...video, ...sentLayers(reports.video, rates, timestamp) } } : {}),
    mediaLink: { transport },
    transportStats: transport,
  };
}

/** What one publisher's network bears, reading by reading. */
export class SentEstimates {
  private readonly highest = { audio: 0, video: 0 };

  /**
   * The estimate, and the most that the encoders may take of it: for each medium `limits`, in bits per second, else the most
   * that the browser has given them so far.
   */
  read(
    reports: Readonly<Record<Medium, Report | null>>,
    limits: Readonly<Record<Medium, number | undefined>>,
  ): SenderEstimates {
    const pair = find([...(reports.audio ?? []), ...(reports.video ?? [])], 'candidate-pair', 'nominated');
    const most = (medium: Medium): number => {
      const report = reports[medium];
      if (report === null) return 0;
      let given = 0;
      for (const [, entry] of report) if (entry['type'] === 'outbound-rtp') given += number(entry, 'targetBitrate');
      this.highest[medium] = Math.max(this.highest[medium], given);
      return limits[medium] ?? this.highest[medium];
    };
    return {
      maxAllocatedBitrate: uint32(most('audio') + most('video')),
      estimatedBandwidth: uint32(number(pair ?? {}, 'availableOutgoingBitrate')),
    };
  }
}

/** All entries of several reports as one, as `getStats()` of the browser gives them. */
export function merged(...reports: readonly Report[]): RTCStatsReport {
  return new Map(reports.flatMap((report) => [...report])) as unknown as RTCStatsReport;
}

const UNKNOWN_TRANSPORT: TransportStats = {
  connectionEstimatedBandwidth: 0,
  networkCondition: 'unknown',
  networkConditionReason: 'unknown',
};

/** Shares of lost packets up to which a network counts as so good. Our own choice. */
const CONDITIONS: readonly (readonly [number, NetworkCondition])[] = [
  [0.005, 'excellent'],
  [0.02, 'good'],
  [0.05, 'fair'],
  [0.12, 'warning'],
];

function transportStats(pair: Entry | undefined, lossShare: number | null, maxBitrateBps?: number): TransportStats {
  const estimate = number(pair ?? {}, 'availableOutgoingBitrate') || number(pair ?? {}, 'availableIncomingBitrate');
  if (lossShare === null) return { ...UNKNOWN_TRANSPORT, connectionEstimatedBandwidth: estimate };
  const byLoss = CONDITIONS.find(([most]) => lossShare <= most)?.[1] ?? 'critical';
  const narrow = estimate > 0 && maxBitrateBps !== undefined && estimate < maxBitrateBps / 2;
  const condition = narrow && (byLoss === 'excellent' || byLoss === 'good') ? 'warning' : byLoss;
  return {
    connectionEstimatedBandwidth: estimate,
    networkCondition: condition,
    networkConditionReason:
      condition === 'excellent' || condition === 'good' ? 'none' : narrow ? 'bandwidth' : 'packetLoss',
  };
}

function degradation(condition: NetworkCondition): SubscriberStats['mediaLink']['networkDegradationSource'] {
  return condition === 'warning' || condition === 'critical' ? 'bothOrUnclear' : 'none';
}

function share(lost: number, passed: number): number | null {
  return lost + passed > 0 ? lost / (lost + passed) : null;
}

function medium({ bytesReceived, packetsReceived, packetsLost }: Counters): ReceivedMedium {
  return { bytesReceived, packetsReceived, packetsLost };
}

function receivedVideo(entry: Entry, counted: Counters, report: Report, rates: Rates, at: number): ReceivedVideo {
  return {
    ...medium(counted),
    codec: codecOf(report, entry),
    width: number(entry, 'frameWidth'),
    height: number(entry, 'frameHeight'),
    bitrate: Math.round(rates.of('bytes', counted.bytesReceived, at) * 8),
    totalBitrate: Math.round(rates.of('all bytes', counted.bytesReceived + counted.headerBytesReceived, at) * 8),
    frameRate: number(entry, 'framesPerSecond'),
    decodedFrameRate: rates.of('frames', counted.framesDecoded, at),
    ...('pauseCount' in entry
      ? { pauseCount: counted.pauseCount, totalPausesDuration: counted.totalPausesDuration }
      : {}),
    ...('freezeCount' in entry
      ? { freezeCount: counted.freezeCount, totalFreezesDuration: counted.totalFreezesDuration }
      : {}),
  };
}

function sentMedium(report: Report): SentMedium {
  let [bytesSent, packetsSent, packetsLost] = [0, 0, 0];
  for (const [, entry] of report) {
    if (entry['type'] === 'outbound-rtp') {
      bytesSent += number(entry, 'bytesSent');
      packetsSent += number(entry, 'packetsSent');
    } else if (entry['type'] === 'remote-inbound-rtp') packetsLost += Math.max(0, number(entry, 'packetsLost'));
  }
  return { bytesSent, packetsSent, packetsLost };
}

function sentLayers(report: Report, rates: Rates, at: number): { frameRate: number; layers: SentLayer[] } {
  const layers: SentLayer[] = [];
  for (const [id, entry] of report) {
    if (entry['type'] !== 'outbound-rtp') continue;
    const bytes = number(entry, 'bytesSent');
    layers.push({
      codec: codecOf(report, entry),
      width: number(entry, 'frameWidth'),
      height: number(entry, 'frameHeight'),
      encodedFrameRate: number(entry, 'framesPerSecond'),
      bitrate: Math.round(rates.of(`${id} bytes`, bytes, at) * 8),
      totalBitrate: Math.round(rates.of(`${id} all`, bytes + number(entry, 'headerBytesSent'), at) * 8),
      ...(typeof entry['scalabilityMode'] === 'string' ? { scalabilityMode: entry['scalabilityMode'] } : {}),
      ...(typeof entry['qualityLimitationReason'] === 'string'
        ? { qualityLimitationReason: entry['qualityLimitationReason'] }
        : {}),
    });
  }
  return { frameRate: Math.max(0, ...layers.map(({ encodedFrameRate }) => encodedFrameRate)), layers };
}

function codecOf(report: Report, entry: Entry): string {
  for (const [id, codec] of report)
    if (id === entry['codecId'] && typeof codec['mimeType'] === 'string') return codec['mimeType'].split('/')[1] ?? '';
  return '';
}

function find(report: Report, type: string, flag?: string): Entry | undefined {
  for (const [, entry] of report)
    if (entry['type'] === type && (flag === undefined || entry[flag] === true)) return entry;
  return undefined;
}

function countersOf(entry: Entry | undefined): Counters {
  return Object.fromEntries(COUNTERS.map((name) => [name, number(entry ?? {}, name)])) as Counters;
}

function sum(one: Counters, other: Counters): Counters {
  return Object.fromEntries(COUNTERS.map((name) => [name, one[name] + other[name]])) as Counters;
}

/** A loss that turned out to be a delay makes a counter smaller: it is not counted below 0. */
function difference(now: Counters, before: Counters): Counters {
  return Object.fromEntries(COUNTERS.map((name) => [name, Math.max(0, now[name] - before[name])])) as Counters;
}

/** As the wire has it. */
function uint32(value: number): number {
  return Math.min(2 ** 32 - 1, Math.max(0, Math.round(value)));
}

function number(entry: Entry, key: string): number {
  const value = entry[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

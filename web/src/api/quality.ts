/** Watches statistics while somebody listens to the events that are made of them. */
import type { PublisherStats, SubscriberStats, TransportStats } from '../rtc/index.ts';
import { queueEvent, type Emitter } from './emitter.ts';
import { QualityChangedEvent, QualityScoreChangedEvent, type Event } from './events.ts';

/** How often statistics are read. Our own choice. */
const INTERVAL_MS = 2_000;

const PUBLISHER_EVENTS = ['videoQualityChanged', 'networkConditionChanged'];
const SUBSCRIBER_EVENTS = [...PUBLISHER_EVENTS, 'qualityScoreChanged'];

export interface QualityWatch {
  /** Listeners were added or taken off. */
  update(): void;
  stop(): void;
}

interface Heard extends Emitter {
  _hears(...types: readonly string[]): boolean;
}

/** Events of a Publisher, from what `read` gives; a reading that fails is skipped. */
export function watchPublisherQuality(publisher: Heard, read: () => Promise<PublisherStats>): QualityWatch {
  return watch(publisher, PUBLISHER_EVENTS, read, (before, now) => {
    const told: Event[] = [];
    const reason = layerReason(before, now);
    if (reason !== null)
      told.push(new QualityChangedEvent('videoQualityChanged', reason, { statsContainer: { stats: now } }));
    if (condition(before.mediaLink.transport) !== condition(now.mediaLink.transport))
      told.push(
        new QualityChangedEvent('networkConditionChanged', 'networkConditionChanged', {
          statsContainer: { stats: now },
        }),
      );
    return told;
  });
}

/** Events of a Subscriber. */
export function watchSubscriberQuality(subscriber: Heard, read: () => Promise<SubscriberStats>): QualityWatch {
  let scored: string | null = null;
  return watch(subscriber, SUBSCRIBER_EVENTS, read, (before, now) => {
    const told: Event[] = [];
    const reason = pictureReason(before, now);
    if (reason !== null) told.push(new QualityChangedEvent('videoQualityChanged', reason, { stats: now }));
    if (condition(before.mediaLink.transport) !== condition(now.mediaLink.transport))
      told.push(new QualityChangedEvent('networkConditionChanged', 'networkConditionChanged', { stats: now }));
    const score = qualityScore(before, now);
    if (scored !== JSON.stringify(score)) {
      scored = JSON.stringify(score);
      told.push(new QualityScoreChangedEvent(score));
    }
    return told;
  });
}

/**
 * Scores of a stream between two readings, each from 1 (bad) to 5 (excellent); a medium that is not subscribed to has
 * none. Audio by lost packets, after the shape of ITU-T G.107's loss curve for Opus; video by bits per pixel and by the
 * time in which the picture stood still. The thresholds are our own choice.
 */
export function qualityScore(
  before: SubscriberStats,
  now: SubscriberStats,
): { audioQualityScore?: number; videoQualityScore?: number } {
  return {
    ...(now.audio ? { audioQualityScore: graded(lossShare(before.audio, now.audio), [0.01, 0.03, 0.08, 0.15]) } : {}),
    ...(now.video ? { videoQualityScore: videoScore(before, now.video, now.timestamp) } : {}),
  };
}

function videoScore(before: SubscriberStats, video: NonNullable<SubscriberStats['video']>, at: number): number {
  const seconds = (at - before.timestamp) / 1000;
  const still = (video.totalFreezesDuration ?? 0) - (before.video?.totalFreezesDuration ?? 0);
  if (video.width === 0 || seconds <= 0) return 1;
  const byStillness = graded(still / seconds, [0.01, 0.05, 0.15, 0.4]);
  const perPixel = video.bitrate / (video.width * video.height * Math.max(1, video.frameRate));
  const byDetail = perPixel > 0.03 ? 5 : perPixel > 0.015 ? 4 : perPixel > 0.007 ? 3 : 2;
  const byMotion = video.frameRate >= 20 ? 5 : video.frameRate >= 12 ? 4 : video.frameRate >= 6 ? 3 : 2;
  return Math.min(byStillness, byDetail, byMotion);
}

/** 5 up to the first limit, 4 up to the second, and so on. */
function graded(value: number, limits: readonly number[]): number {
  return 5 - limits.filter((limit) => value > limit).length;
}

interface Counted {
  readonly packetsReceived: number;
  readonly packetsLost: number;
}

function lossShare(before: Counted | undefined, now: Counted): number {
  const lost = now.packetsLost - (before?.packetsLost ?? 0);
  const received = now.packetsReceived - (before?.packetsReceived ?? 0);
  return lost + received > 0 ? lost / (lost + received) : 1;
}

function condition({ networkCondition, networkConditionReason }: TransportStats): string {
  return `${networkCondition} ${networkConditionReason}`;
}

function layerReason(before: PublisherStats, now: PublisherStats): string | null {
  const [one, other] = [before.video?.layers[0], now.video?.layers[0]];
  if (one === undefined || other === undefined) return null;
  if (one.codec !== other.codec) return 'codecChange';
  if (one.qualityLimitationReason !== other.qualityLimitationReason) return other.qualityLimitationReason ?? 'none';
  return one.width !== other.width || one.height !== other.height ? 'resolutionChange' : null;
}

function pictureReason(before: SubscriberStats, now: SubscriberStats): string | null {
  const [one, other] = [before.video, now.video];
  if (one === undefined || other === undefined) return null;
  if (one.codec !== other.codec && one.codec !== '') return 'codecChange';
  if (one.bitrate > 0 && other.bitrate === 0) return 'videoInterruption';
  return one.width !== other.width || one.height !== other.height ? 'resolutionChange' : null;
}

function watch<Stats>(
  emitter: Heard,
  types: readonly string[],
  read: () => Promise<Stats>,
  compare: (before: Stats, now: Stats) => readonly Event[],
): QualityWatch {
  let timer: ReturnType<typeof setInterval> | null = null;
  let before: Stats | null = null;
  const look = async (): Promise<void> => {
    const now = await read();
    for (const event of before === null ? [] : compare(before, now)) queueEvent(emitter, event);
    before = now;
  };
  const stop = (): void => {
    if (timer !== null) clearInterval(timer);
    timer = before = null;
  };
  return {
    stop,
    update: () => {
      if (!emitter._hears(...types)) {
        stop();
        return;
      }
      if (timer !== null) return;
      const again = (): void => {
        look().catch(() => {
          before = null; // nothing is published or received now
        });
      };
      timer = setInterval(again, INTERVAL_MS);
      again();
    },
  };
}

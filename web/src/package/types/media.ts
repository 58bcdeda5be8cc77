/** Filters, media processors and statistics. */
import type { PublisherStats, SubscriberStats } from '../../rtc/index.ts';

export type { PublisherStats, SubscriberStats };

export type VideoContentHint = '' | 'motion' | 'detail' | 'text';

/** `custom` is read, never set: `setMaxVideoBitrate` was called. */
export type VideoBitratePreset = 'default' | 'bw_saver' | 'extra_bw_saver' | 'custom';

export type ScalabilityMode = 'L1T1' | 'L1T2' | 'L1T3' | 'L2T1' | 'L2T2' | 'L2T3' | 'L3T1' | 'L3T2' | 'L3T3';

export type VideoFilter =
  | { type: 'backgroundBlur'; blurStrength?: 'low' | 'high' }
  | { type: 'backgroundReplacement'; backgroundImgUrl: string };

export interface AudioFilter {
  type: 'advancedNoiseSuppression';
}

/** Turns a track into another; the application supplies it. */
export interface MediaProcessorConnector {
  /** Called with every new track; what it resolves to takes the track's place. */
  setTrack(track: MediaStreamTrack): Promise<MediaStreamTrack>;
  destroy(): Promise<void>;
}

/** One entry of `publisher.getStats()`. The ids are there in relayed sessions. */
export interface PublisherStatsContainer {
  readonly stats: PublisherStats;
  readonly connectionId?: string;
  readonly subscriberId?: string;
}

export type PublisherStatsArr = PublisherStatsContainer[];

/** One entry of `publisher.getRtcStatsReport()`. */
export interface PublisherRtcStatsReport {
  readonly rtcStatsReport: RTCStatsReport;
  readonly connectionId?: string;
  readonly subscriberId?: string;
}

export type PublisherRtcStatsReportArr = PublisherRtcStatsReport[];

/** One peer connection, as the rest of the client needs it. `rtc-peer.ts` is the browser's, `fake-peer.ts` the tests'. */
import type { PathSample } from '../core/index.ts';
import type { FrameEncryption } from '../encryption/index.ts';

import type { OpusWishes } from './opus.ts';

/** `interrupted`: no media passes but it may come back; `failed`: it will not, make another peer. */
export type PeerState = 'connecting' | 'connected' | 'interrupted' | 'failed';

/** What is used of an RTCRtpReceiver. */
export interface Receiver {
  readonly track: MediaStreamTrack;
  getSynchronizationSources(): readonly {
    readonly rtpTimestamp: number;
    readonly timestamp: number;
    readonly audioLevel?: number;
  }[];
  getStats(): Promise<RTCStatsReport>;
}

export interface SlotReceivers {
  readonly audio: Receiver;
  readonly video: Receiver;
  /**
   * With end-to-end encryption: has what comes judged anew; `told` hears whether it is of this client's secret. Returns what
   * ends that. Absent without encryption.
   */
  readonly watchSecret?: (told: (matches: boolean) => void) => () => void;
}

/** The lines of a slot pair, known from the offer on. */
export interface SlotMids {
  readonly slot: number;
  readonly audioMid: string;
  readonly videoMid: string;
}

export interface SendTracks {
  readonly audio: MediaStreamTrack | null;
  readonly video: MediaStreamTrack | null;
  /** Bits per second; absent leaves it to the browser. */
  readonly audioBitrateBps?: number | undefined;
  readonly videoBitrateBps?: number | undefined;
  /** For example L3T3; absent leaves it to the browser. */
  readonly scalabilityMode?: string | undefined;
  readonly opus?: OpusWishes | undefined;
  /** Names in small letters, the dearest first. */
  readonly videoCodecs?: readonly string[] | undefined;
  /** Whether the video may be sent in several sizes at once. */
  readonly isScalable?: boolean | undefined;
  /** Whether the video is a shared screen. */
  readonly isScreen?: boolean | undefined;
}

/** The lines that carry one stream of ours. */
export interface SentLines {
  /** Undefined before the offer that first holds the line, or without such a track. */
  readonly audioMid: string | undefined;
  readonly videoMid: string | undefined;
  /** Sends `track` on an existing line; null sends nothing. */
  replace(kind: 'audio' | 'video', track: MediaStreamTrack | null): Promise<void>;
  /** The browser's statistics of the line; null without such a line. */
  stats(kind: 'audio' | 'video'): Promise<RTCStatsReport | null>;
  /** Changes how the line is encoded; does nothing without such a line. Rejects when the browser refuses. */
  tune(kind: 'audio' | 'video', change: (encoding: RTCRtpEncodingParameters) => void): Promise<void>;
  /** Lets the video take so many bits per second in all; undefined leaves it to the browser. Rejects as `tune`. */
  limitVideo(bps: number | undefined): Promise<void>;
  /** The picture has another size: the sizes in which it is sent follow. Rejects as `tune`. */
  fitVideo(size: { readonly width: number; readonly height: number }): Promise<void>;
  /** Encodes the video or does not; the track stays. Rejects as `tune`. */
  switchVideo(on: boolean): Promise<void>;
  /** Encodes the video in these layers inside one stream, for example L3T3. Rejects as `tune`. */
  layer(scalabilityMode: string): Promise<void>;
  /** These layers of the video need not be sent, by `rid` or inside one stream as `S1` and `S2`; all others are, and the smallest always. Rejects as `tune`. */
  pauseLayers(rids: readonly string[]): Promise<void>;
  /** Sends nothing more; the lines stay and are used again by a later stream. */
  stop(): void;
}

export interface Peer {
  readonly state: PeerState;
  /** Adds `count` slot pairs, which the next offer announces. */
  addSlotPairs(count: number): void;
  readonly slotCount: number;
  /** Null where there is no such slot. */
  receivers(slot: number): SlotReceivers | null;
  send(tracks: SendTracks): SentLines;
  /** Makes and applies an offer; every offer is followed by `accept` or `withdraw`. */
  offer(): Promise<string>;
  /** The slot pairs that no accepted offer has announced yet; their mids are known after `offer`. */
  newSlots(): readonly SlotMids[];
  accept(answer: string): Promise<void>;
  /** Takes the last offer back. */
  withdraw(): Promise<void>;
  /** What the statistics say of the pair of addresses in use; null without one. */
  sample(): Promise<PathSample | null>;
  /** The slots whose video stands still by the last sample, so that its publisher is to be asked for a key frame. */
  readonly standstills: readonly number[];
  /** The next offer restarts ICE. */
  restartIce(): void;
  close(): void;
}

/** Makes a peer that reports every change of its state, and whose lines are encrypted if there is an encryption. */
export type PeerFactory = (
  configuration: RTCConfiguration,
  onState: (state: PeerState) => void,
  encryption?: FrameEncryption | null,
) => Peer;

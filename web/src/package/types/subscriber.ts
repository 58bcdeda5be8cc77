/** The Subscriber. */
import type { SubscriberEvents } from './events.ts';
import type { CompletionHandler, OTError, OTEventEmitter } from './handlers.ts';
import type { MediaProcessorConnector, SubscriberStats } from './media.ts';
import type { SubscriberStyle } from './options.ts';
import type { Session } from './session.ts';
import type { Dimensions, Stream } from './values.ts';

/** The element in which another client's stream, or an own one, is seen and heard. */
export interface Subscriber extends OTEventEmitter<SubscriberEvents> {
  /** The root element; undefined with `insertDefaultUI: false`. */
  readonly element: HTMLElement | undefined;
  /** The root element's id. */
  readonly id: string | undefined;
  readonly session: Session;
  readonly stream: Stream | undefined;
  readonly streamId: string | undefined;

  /** Plays sound, or stops playing it; remembered when there is none yet. */
  readonly subscribeToAudio: {
    (value: boolean, done?: CompletionHandler): Subscriber;
    promise(value: boolean, reason?: string): Promise<void>;
  };
  /** Shows the picture, or stops showing it; remembered when there is none yet. */
  readonly subscribeToVideo: {
    (value: boolean, done?: CompletionHandler): Subscriber;
    promise(value: boolean, reason?: string): Promise<void>;
  };
  /** 0 to 100. */
  readonly setAudioVolume: {
    (volume: number, done?: CompletionHandler): Subscriber;
    promise(volume: number): Promise<void>;
  };
  getAudioVolume(): number;
  /** At most about one picture a second while it is on. */
  readonly restrictFrameRate: {
    (value: boolean, done?: CompletionHandler): Subscriber;
    promise(value: boolean): Promise<void>;
  };
  /** Asks for the layer nearest to a size; `auto` follows the element, null clears the wish. */
  setPreferredResolution(size: Dimensions | 'auto' | null): Promise<void>;
  /** Asks for the layer nearest to so many frames per second; null clears the wish. */
  setPreferredFrameRate(framesPerSecond: number | null): Promise<void>;

  /** May be called before the publisher sends captions. */
  subscribeToCaptions(value: boolean): Promise<void>;
  isSubscribedToCaptions(): boolean;
  /** A language such as `de-DE`; null for the one that is spoken. */
  setCaptionsTranslationLanguage(code: string | null): Promise<void>;
  getCaptionsTranslationLanguage(): string | null;

  /** Whether the browser's autoplay rule keeps the sound off. */
  isAudioBlocked(): boolean;
  /** The current picture as base-64 PNG without `data:` prefix; null when there is none. */
  getImgData(): string | null;
  getStyle(): SubscriberStyle;
  getStyle<Key extends keyof SubscriberStyle>(key: Key): SubscriberStyle[Key];
  setStyle<Key extends keyof SubscriberStyle>(key: Key, value: SubscriberStyle[Key]): this;
  setStyle(style: Partial<SubscriberStyle>): this;
  /** The received size; undefined before the first picture. */
  videoWidth(): number | undefined;
  videoHeight(): number | undefined;

  /** Rejects with OT_NOT_CONNECTED while nothing is received. */
  getStats(done?: (error?: OTError, stats?: SubscriberStats) => void): Promise<SubscriberStats>;
  /** The browser's own statistics. */
  getRtcStatsReport(): Promise<RTCStatsReport>;
  /** Shows what the connector makes of the picture; null takes it away. */
  setVideoMediaProcessorConnector(connector: MediaProcessorConnector | null): Promise<void>;
  /** Plays what the connector makes of the sound; null takes it away. */
  setAudioMediaProcessorConnector(connector: MediaProcessorConnector | null): Promise<void>;
  /** The same as `session.unsubscribe(subscriber)`. */
  destroy(): void;
}

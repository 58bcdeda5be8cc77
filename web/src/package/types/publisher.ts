/** The Publisher. */
import type { PublisherEvents } from './events.ts';
import type { CompletionHandler, OTError, OTEventEmitter } from './handlers.ts';
import type {
  AudioFilter,
  MediaProcessorConnector,
  PublisherRtcStatsReportArr,
  PublisherStatsArr,
  ScalabilityMode,
  VideoBitratePreset,
  VideoContentHint,
  VideoFilter,
} from './media.ts';
import type { PublisherStyle } from './options.ts';
import type { Session } from './session.ts';
import type { Dimensions, Stream } from './values.ts';

/** A local preview of camera, microphone or screen, which a Session can publish. */
export interface Publisher extends OTEventEmitter<PublisherEvents> {
  /** Undefined until the user or the browser has decided. */
  readonly accessAllowed: boolean | undefined;
  /** The root element; undefined with `insertDefaultUI: false`. */
  readonly element: HTMLElement | undefined;
  /** The root element's id. */
  readonly id: string | undefined;
  /** The session while publishing to one. */
  readonly session: Session | null;
  /** While streaming. */
  readonly stream: Stream | undefined;
  readonly streamId: string | undefined;

  /** Stops streaming and capture, removes the element, dispatches `destroyed`. Harmless when repeated. */
  readonly destroy: {
    (done?: CompletionHandler): Publisher;
    promise(): Promise<void>;
  };
  /** Sends sound, or stops sending it; also before publishing. */
  readonly publishAudio: {
    (value: boolean, done?: CompletionHandler): Publisher;
    promise(value: boolean): Promise<void>;
  };
  /** Sends the picture, or stops sending it. The handler hears when the camera runs again, or why it does not. */
  readonly publishVideo: {
    (value: boolean, done?: CompletionHandler): Publisher;
    promise(value: boolean): Promise<void>;
  };
  /** Whether the sound may be turned into captions. */
  publishCaptions(value: boolean): Promise<void>;

  /** Takes the next camera of the list; resolves to its id. */
  cycleVideo(): Promise<{ deviceId: string }>;
  /** Takes the camera with that id. */
  setVideoSource(deviceId: string): Promise<void>;
  getVideoSource(): { deviceId: string | null; type: string | null; track: MediaStreamTrack | null };
  /** Takes another microphone or an own track; a publisher without audio cannot gain it. */
  setAudioSource(source: string | MediaStreamTrack): Promise<void>;
  getAudioSource(): MediaStreamTrack | null;

  /** The current picture as base-64 PNG without `data:` prefix; null when there is none. */
  getImgData(): string | null;
  getStyle(): PublisherStyle;
  getStyle<Key extends keyof PublisherStyle>(key: Key): PublisherStyle[Key];
  setStyle<Key extends keyof PublisherStyle>(key: Key, value: PublisherStyle[Key]): this;
  setStyle(style: Partial<PublisherStyle>): this;
  /** The captured size; undefined without video. */
  videoWidth(): number | undefined;
  videoHeight(): number | undefined;

  /** Rejects with OT_NOT_CONNECTED while nothing is published. */
  getStats(done?: (error?: OTError, stats?: PublisherStatsArr) => void): Promise<PublisherStatsArr>;
  /** The browser's own statistics. */
  getRtcStatsReport(): Promise<PublisherRtcStatsReportArr>;

  getVideoContentHint(): string;
  setVideoContentHint(hint: VideoContentHint): Promise<void>;
  /** Captures at the nearest size that the camera has. */
  setPreferredResolution(size: Dimensions): Promise<void>;
  setPreferredFrameRate(framesPerSecond: number): Promise<void>;
  /** Undefined before one was set. */
  getMaxVideoBitrate(): number | undefined;
  /** Bits per second, 5,000 to 10,000,000; cameras only. */
  setMaxVideoBitrate(bps: number): Promise<void>;
  /** Undefined before one was set. */
  getVideoBitratePreset(): string | undefined;
  setVideoBitratePreset(preset: Exclude<VideoBitratePreset, 'custom'>): Promise<void>;
  getTargetScalabilityMode(): string | undefined;
  setTargetScalabilityMode(mode: ScalabilityMode): void;

  applyVideoFilter(filter: VideoFilter): Promise<void>;
  getVideoFilter(): { readonly type: string } | null;
  clearVideoFilter(): Promise<void>;
  applyAudioFilter(filter: AudioFilter): Promise<void>;
  getAudioFilter(): { readonly type: string } | null;
  clearAudioFilter(): Promise<void>;
  /** Sends what the connector makes of the picture; null takes it away. */
  setVideoMediaProcessorConnector(connector: MediaProcessorConnector | null): Promise<void>;
  /** Sends what the connector makes of the sound; null takes it away. */
  setAudioMediaProcessorConnector(connector: MediaProcessorConnector | null): Promise<void>;
}

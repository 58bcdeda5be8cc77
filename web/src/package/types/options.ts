/** What applications pass to make sessions, publishers and subscribers. */
import type { AudioFilter, VideoContentHint, VideoFilter } from './media.ts';
import type { Dimensions } from './values.ts';

/** An element or its id. */
export type Target = string | HTMLElement;

export interface CustomServer {
  urls: string | string[];
  username?: string;
  credential?: string;
}

export interface IceConfig {
  /** `custom` leaves the platform's own servers out. */
  includeServers?: 'all' | 'custom';
  transportPolicy?: 'all' | 'relay';
  customServers?: CustomServer[];
}

export interface SessionOptions {
  /** Other clients' connections are not told. */
  connectionEventsSuppressed?: boolean;
  iceConfig?: IceConfig;
  /** 8 to 256 characters, for sessions with end-to-end encryption. */
  encryptionSecret?: string;
  ipWhitelist?: boolean;
  singlePeerConnection?: boolean;
  sessionMigration?: boolean;
}

export interface Signal {
  /** At most 128 bytes: letters, digits, `-`, `_`, `~`. */
  type?: string;
  /** At most 8,192 bytes of UTF-8. */
  data?: string;
  /** Everybody without. */
  to?: { readonly connectionId: string };
  /** Whether a signal that is sent while the connection is lost is sent later; true without. */
  retryAfterReconnect?: boolean;
}

/** `mini` and `mini-auto` are older, and count as `on` and `auto`. */
export type DisplayMode = 'auto' | 'on' | 'off' | 'mini' | 'mini-auto';

export interface WidgetStyle {
  audioLevelDisplayMode: DisplayMode;
  /** An address, a data URL, or what `getImgData()` gives. */
  backgroundImageURI: string | null;
  buttonDisplayMode: DisplayMode;
  nameDisplayMode: DisplayMode;
  videoDisabledDisplayMode: DisplayMode;
}

export interface PublisherStyle extends WidgetStyle {
  archiveStatusDisplayMode: DisplayMode;
}

export interface SubscriberStyle extends WidgetStyle {
  audioBlockedDisplayMode: DisplayMode;
}

/** How the element looks and where it goes. */
export interface WidgetProperties {
  /** How the target and the element go together; `replace` without. */
  insertMode?: 'replace' | 'after' | 'before' | 'append';
  /** False: no element is inserted; the application takes the video of `videoElementCreated`. */
  insertDefaultUI?: boolean;
  /** Pixels or a CSS size; 264 without. */
  width?: number | string;
  /** Pixels or a CSS size; 198 without. */
  height?: number | string;
  fitMode?: 'cover' | 'contain';
  /** False hides everything that is built in. */
  showControls?: boolean;
}

/** What is captured. */
export interface GetUserMediaProperties {
  /** A device, an own track, true for the default one, null or false for none. */
  audioSource?: string | boolean | null | MediaStreamTrack | { readonly deviceId: string };
  /** As `audioSource`, or `screen`. */
  videoSource?: string | boolean | null | MediaStreamTrack | { readonly deviceId: string };
  /** A wish; 640x480 without. */
  resolution?: '1920x1080' | '1280x960' | '1280x720' | '640x480' | '640x360' | '320x240' | '320x180';
  /** A wish; 30 without. */
  frameRate?: 30 | 15 | 7 | 1;
  /** An upper bound, for screens. */
  maxResolution?: Dimensions;
  facingMode?: 'user' | 'environment' | 'left' | 'right';
  /** Turns the three below off. */
  disableAudioProcessing?: boolean;
  echoCancellation?: boolean;
  noiseSuppression?: boolean;
  autoGainControl?: boolean;
  /** Raw constraints, which win over those that are made of the options. */
  constraints?: MediaStreamConstraints;
}

export interface PublisherProperties extends GetUserMediaProperties, WidgetProperties {
  publishAudio?: boolean;
  publishVideo?: boolean;
  publishCaptions?: boolean;
  /** Bits per second, 6,000 to 510,000. */
  audioBitrate?: number;
  enableStereo?: boolean;
  /** Sends nothing while there is silence. */
  enableDtx?: boolean;
  audioFallback?: { publisher?: boolean; subscriber?: boolean };
  /** @deprecated Use `audioFallback.subscriber`. */
  audioFallbackEnabled?: boolean;
  /** Whether a camera or a custom track is sent in several sizes at once in routed sessions; the default is true. */
  scalableVideo?: boolean;
  /** As above, of a screen; the default is false. */
  scalableScreenshare?: boolean;
  /** In the order of preference. */
  preferredVideoCodecs?: 'automatic' | ('vp8' | 'vp9' | 'h264' | 'av1')[];
  videoContentHint?: VideoContentHint;
  videoFilter?: VideoFilter;
  audioFilter?: AudioFilter;
  /** Keeps a microphone that is unplugged from being replaced. */
  disableAudioInputDeviceManagement?: boolean;
  /** Whether subscribers see `senderStats` in their statistics. */
  publishSenderStats?: boolean;
  /** @deprecated Ignored. */
  usePreviousDeviceSelection?: boolean;
  /** Shown to others; at most 1,000 characters. */
  name?: string;
  /** Shown where there is no picture. */
  initials?: string;
  /** Whether the own preview is mirrored. */
  mirror?: boolean;
  style?: Partial<PublisherStyle>;
}

export interface SubscriberProperties extends WidgetProperties {
  /** 0 to 100; 100 without. */
  audioVolume?: number;
  subscribeToAudio?: boolean;
  subscribeToVideo?: boolean;
  subscribeToCaptions?: boolean;
  /** A language such as `de-DE`. */
  captionsTranslationLanguage?: string;
  /** `auto` follows the size of the element, and asks for the least while nobody can see it. */
  preferredResolution?: Dimensions | 'auto';
  preferredFrameRate?: number;
  /** For a subscription to an own stream. */
  testNetwork?: boolean;
  style?: Partial<SubscriberStyle>;
}

/** What applications pass to publish and to subscribe, read once and completed with defaults. */
import type { InsertMode } from './dom/insert.ts';
import { parseStyle, type WidgetStyle } from './dom/widget-style.ts';
import { OTError } from './errors.ts';
import { logger } from './logger.ts';
import { checkFilter, type CaptureWishes, type Filter, type OpusWishes, type SourceWishes } from './rtc/index.ts';
import type { Dimensions } from './wire/index.ts';

/** The application's object as it came; every member is unknown until read. */
export type Properties = Readonly<Record<string, unknown>>;

/** What publishers and subscribers have in common: how they look. */
export interface LookOptions {
  readonly insertMode: InsertMode;
  readonly insertDefaultUI: boolean;
  readonly width: number | string;
  readonly height: number | string;
  /** Undefined: as fits the kind of video. */
  readonly fitMode: 'cover' | 'contain' | undefined;
  readonly showControls: boolean;
  readonly style: Partial<WidgetStyle>;
}

export interface PublisherOptions extends LookOptions {
  readonly name: string;
  readonly initials: string | undefined;
  readonly publishAudio: boolean;
  readonly publishVideo: boolean;
  readonly publishCaptions: boolean;
  readonly mirror: boolean;
  readonly sources: SourceWishes;
  /** Only when the application asked for one. */
  readonly frameRate: number | undefined;
  readonly audioBitrateBps: number | undefined;
  readonly opus: OpusWishes;
  /** In small letters, the dearest first; undefined leaves it to the browser. */
  readonly videoCodecs: readonly string[] | undefined;
  readonly videoContentHint: string;
  /** Whether the video may be sent in several sizes at once. */
  readonly isScalable: boolean;
  /** Whether the router may leave the video out for a subscriber whose network is narrow. */
  readonly audioFallback: boolean;
  /** Whether the publisher itself leaves the video out while its own network is narrow. */
  readonly publisherFallback: boolean;
  /** Whether subscribers are told what the publisher's network bears. */
  readonly senderStats: boolean;
  /** Whether another microphone takes the place of one that is unplugged. */
  readonly managesMicrophone: boolean;
}

/** What a subscriber would like to get; the router gives the nearest that there is. */
export interface PictureWishes {
  /** `auto`: as large as the element is shown. */
  readonly resolution: 'auto' | Dimensions | null;
  readonly frameRate: number | null;
}

export interface SubscriberOptions extends LookOptions {
  readonly subscribeToAudio: boolean;
  readonly subscribeToVideo: boolean;
  readonly subscribeToCaptions: boolean;
  readonly captionsTranslationLanguage: string | null;
  /** 0 to 100. */
  readonly audioVolume: number;
  readonly picture: PictureWishes;
}

const NAME_LIMIT = 1000;
const DEFAULT_WIDTH = 264;
const DEFAULT_HEIGHT = 198;
const DEFAULT_FRAME_RATE = 30;
const RESOLUTIONS = ['1920x1080', '1280x960', '1280x720', '640x480', '640x360', '320x240', '320x180'];
const FRAME_RATES = [30, 15, 7, 1];
const SCREEN_LIMIT = 1920;
const AUDIO_BITRATE = { least: 6_000, most: 510_000 };

/** The options of a publisher. Throws OT_INVALID_PARAMETER for a name that is too long. */
export function publisherOptions(properties: Properties): PublisherOptions {
  const name = text(properties['name']) ?? '';
  if (name.length > NAME_LIMIT)
    throw new OTError('OT_INVALID_PARAMETER', `The name is longer than ${NAME_LIMIT} characters.`);
  const videoKind = kindOf(properties['videoSource']);
  const [width, height] = resolution(properties['resolution']);
  const frameRate = oneOf(properties['frameRate'], FRAME_RATES, 'frameRate');
  const limit = size(properties['maxResolution']);
  const publishAudio = flag(properties['publishAudio'], videoKind !== 'screen');
  return {
    ...look(properties),
    name,
    initials: text(properties['initials']),
    publishAudio,
    publishVideo: flag(properties['publishVideo'], true),
    publishCaptions: flag(properties['publishCaptions'], false),
    mirror: flag(properties['mirror'], videoKind === 'camera'),
    sources: {
      videoKind,
      audioTrack: track(properties['audioSource']),
      videoTrack: track(properties['videoSource']),
      capture: captureWishes(properties, {
        width: Math.min(width, limit?.width ?? width),
        height: Math.min(height, limit?.height ?? height),
        frameRate: frameRate ?? DEFAULT_FRAME_RATE,
      }),
      screenSound: publishAudio,
      maxWidth: limit?.width ?? SCREEN_LIMIT,
      maxHeight: limit?.height ?? SCREEN_LIMIT,
      audioFilter: filter('audio', properties['audioFilter']),
      videoFilter: filter('video', properties['videoFilter']),
    },
    frameRate,
    audioBitrateBps: bitrate(properties['audioBitrate']),
    opus: { stereo: flag(properties['enableStereo'], false), dtx: flag(properties['enableDtx'], false) },
    videoCodecs: codecs(properties['preferredVideoCodecs']),
    videoContentHint: text(properties['videoContentHint']) ?? '',
    isScalable:
      videoKind === 'screen' ? flag(properties['scalableScreenshare'], false) : flag(properties['scalableVideo'], true),
    audioFallback: fallback(properties, videoKind !== 'screen'),
    publisherFallback: publisherFallback(properties['audioFallback']),
    senderStats: flag(properties['publishSenderStats'], false),
    managesMicrophone: !flag(properties['disableAudioInputDeviceManagement'], false),
  };
}

/** The options of a subscriber. `defaultVolume` is the era's, 0 to 100. */
export function subscriberOptions(properties: Properties, defaultVolume: number): SubscriberOptions {
  return {
    ...look(properties),
    subscribeToAudio: flag(properties['subscribeToAudio'], true),
    subscribeToVideo: flag(properties['subscribeToVideo'], true),
    subscribeToCaptions: flag(properties['subscribeToCaptions'], false),
    captionsTranslationLanguage: text(properties['captionsTranslationLanguage']) ?? null,
    picture: {
      resolution: preferredResolution(properties['preferredResolution']),
      frameRate: preferredFrameRate(properties['preferredFrameRate']),
    },
    audioVolume: volume(properties['audioVolume']) ?? defaultVolume,
  };
}

/** What `OT.getUserMedia` and publishers ask the browser for. */
export function captureWishes(
  properties: Properties,
  { width, height, frameRate }: { readonly width: number; readonly height: number; readonly frameRate: number },
): CaptureWishes {
  const processed = !flag(properties['disableAudioProcessing'], false);
  const facingMode = text(properties['facingMode']);
  const constraints = properties['constraints'];
  return {
    audio: device(properties['audioSource']),
    video: device(properties['videoSource']),
    width,
    height,
    frameRate,
    echoCancellation: processed && flag(properties['echoCancellation'], true),
    noiseSuppression: processed && flag(properties['noiseSuppression'], true),
    autoGainControl: processed && flag(properties['autoGainControl'], true),
    ...(facingMode === undefined ? {} : { facingMode }),
    ...(typeof constraints === 'object' && constraints !== null ? { constraints } : {}),
  };
}

/** The capture that `OT.getUserMedia(properties)` means. */
export function userMediaWishes(properties: Properties): CaptureWishes {
  const [width, height] = resolution(properties['resolution']);
  const frameRate = oneOf(properties['frameRate'], FRAME_RATES, 'frameRate') ?? DEFAULT_FRAME_RATE;
  return captureWishes(properties, { width, height, frameRate });
}

/** A volume from 0 to 100; what is outside is brought to the edge. Undefined for what is not a number. */
export function volume(value: unknown): number | undefined {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && !Number.isNaN(number) ? Math.min(100, Math.max(0, number)) : undefined;
}

/** A Boolean as older applications write it: the text "false" is false. */
export function flag(value: unknown, otherwise: boolean): boolean {
  if (value === undefined || value === null) return otherwise;
  return value !== 'false' && Boolean(value);
}

/** A wish for a picture's size; null clears it. What is neither `auto` nor a size counts as none. */
export function preferredResolution(value: unknown): PictureWishes['resolution'] {
  if (value === 'auto') return value;
  const wished = size(value);
  return wished !== undefined && wished.width > 0 && wished.height > 0 ? wished : null;
}

/** A wish for frames per second; null clears it. */
export function preferredFrameRate(value: unknown): number | null {
  return typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : null;
}

function filter(kind: 'audio' | 'video', value: unknown): Filter | null {
  return value === undefined || value === null ? null : checkFilter(kind, value);
}

function codecs(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.map((name) => String(name).toLowerCase());
}

/** The newer option names both ends, the older one the subscribers' alone. */
function fallback(properties: Properties, otherwise: boolean): boolean {
  const newer = properties['audioFallback'];
  if (typeof newer === 'object' && newer !== null && 'subscriber' in newer) return flag(newer.subscriber, otherwise);
  return flag(properties['audioFallbackEnabled'], otherwise);
}

function publisherFallback(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'publisher' in value && flag(value.publisher, false);
}

function look(properties: Properties): LookOptions {
  const style = properties['style'];
  return {
    insertMode:
      oneOf(properties['insertMode'], ['replace', 'after', 'before', 'append'] as const, 'insertMode') ?? 'replace',
    insertDefaultUI: flag(properties['insertDefaultUI'], true),
    width: extent(properties['width'], DEFAULT_WIDTH),
    height: extent(properties['height'], DEFAULT_HEIGHT),
    fitMode: oneOf(properties['fitMode'], ['cover', 'contain'] as const, 'fitMode'),
    showControls: flag(properties['showControls'], true),
    style:
      typeof style === 'object' && style !== null
        ? parseStyle(style as Properties, (key) => {
            logger.warn(`The style ${key} is unknown or has a value that it cannot have; it is ignored.`);
          })
        : {},
  };
}

function kindOf(source: unknown): SourceWishes['videoKind'] {
  if (source === null || source === false) return 'none';
  if (source === 'screen' || source === 'window' || source === 'application') return 'screen';
  return track(source) === null ? 'camera' : 'custom';
}

function device(source: unknown): boolean | string {
  if (source === null || source === false) return false;
  if (typeof source === 'string' && source !== '') return source;
  const id =
    typeof source === 'object' && 'deviceId' in (source as object)
      ? (source as { deviceId: unknown }).deviceId
      : undefined;
  return typeof id === 'string' && id !== '' ? id : true;
}

function track(source: unknown): MediaStreamTrack | null {
  const isTrack = typeof source === 'object' && source !== null && 'kind' in source && 'readyState' in source;
  return isTrack ? (source as MediaStreamTrack) : null;
}

function resolution(wished: unknown): readonly [number, number] {
  const known = oneOf(wished, RESOLUTIONS, 'resolution') ?? '640x480';
  const [width = 640, height = 480] = known.split('x').map(Number);
  return [width, height];
}

function size(value: unknown): { readonly width: number; readonly height: number } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { width, height } = value as { width?: unknown; height?: unknown };
  return typeof width === 'number' && typeof height === 'number' ? { width, height } : undefined;
}

function bitrate(value: unknown): number | undefined {
  if (typeof value !== 'number') return undefined;
  if (value >= AUDIO_BITRATE.least && value <= AUDIO_BITRATE.most) return value;
  logger.warn(`audioBitrate ${value} is out of range and ignored.`);
  return undefined;
}

function extent(value: unknown, otherwise: number): number | string {
  if (typeof value === 'number' && !Number.isNaN(value)) return value;
  return typeof value === 'string' && value.trim() !== '' ? value : otherwise;
}

function text(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : String(value);
}

function oneOf<Value>(value: unknown, lawful: readonly Value[], key: string): Value | undefined {
  const found = lawful.find((candidate) => candidate === value);
  if (value !== undefined && value !== null && found === undefined)
    logger.warn(`${key} cannot be ${String(value)}; it is ignored.`);
  return found;
}

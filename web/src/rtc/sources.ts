/**
 * What a publisher captures: one audio and one video source, each of which can be changed while it is published.
 *
 * A source has a raw track and, when the application gave a media processor, a processed one, which is what is sent and
 * shown. Tracks that were opened here are stopped here; the application's own tracks are never stopped.
 */
import { OTError } from '../errors.ts';
import { capture, captureScreen, listDevices, type CaptureWishes } from './capture.ts';
import { setFilter, type Filter } from './filters.ts';

export type Kind = 'audio' | 'video';
export type VideoKind = 'camera' | 'screen' | 'custom' | 'none';

/** Turns a track into another; supplied by the application. */
export interface Processor {
  setTrack(track: MediaStreamTrack): Promise<MediaStreamTrack>;
  destroy(): Promise<void>;
}

export interface SourceWishes {
  readonly videoKind: VideoKind;
  /** The application's own tracks. */
  readonly audioTrack: MediaStreamTrack | null;
  readonly videoTrack: MediaStreamTrack | null;
  readonly capture: CaptureWishes;
  /** Whether a screen's own sound is wanted. */
  readonly screenSound: boolean;
  readonly maxWidth: number;
  readonly maxHeight: number;
  readonly audioFilter: Filter | null;
  readonly videoFilter: Filter | null;
}

export interface SourceWatcher {
  /** Another track is sent and shown from now on; it is in `media` already. */
  changed(kind: Kind, track: MediaStreamTrack): Promise<void>;
  /** A source ended by itself. */
  ended(kind: Kind, track: MediaStreamTrack): void;
}

interface Source {
  raw: MediaStreamTrack;
  /** What is sent and shown. */
  shown: MediaStreamTrack;
  /** Whether it was opened here. */
  own: boolean;
}

export class Sources {
  /** What is sent and shown; the same object for the publisher's whole life. */
  readonly media = new MediaStream();
  filters: Record<Kind, Filter | null>;
  private readonly sources: Record<Kind, Source | null> = { audio: null, video: null };
  private readonly processors: Record<Kind, Processor | null> = { audio: null, video: null };
  private stopped = false;

  constructor(
    private readonly wishes: SourceWishes,
    private readonly watcher: SourceWatcher,
  ) {
    this.filters = { audio: wishes.audioFilter, video: wishes.videoFilter };
  }

  /** Opens everything. Rejects with a capture error; nothing stays open then. */
  async open(): Promise<void> {
    const opened: { track: MediaStreamTrack; own: boolean }[] = [];
    try {
      await this.openAll(opened);
      if (this.stopped)
        throw new OTError('OT_USER_MEDIA_ACCESS_DENIED', 'The publisher was destroyed while it was being made.');
      for (const { track, own } of opened) await this.install(track.kind as Kind, track, own);
    } catch (error) {
      for (const { track, own } of opened) if (own) track.stop();
      throw error;
    }
  }

  /** What is sent and shown; null without such a source. */
  track(kind: Kind): MediaStreamTrack | null {
    return this.sources[kind]?.shown ?? null;
  }

  /** What comes from the device or from the application. */
  raw(kind: Kind): MediaStreamTrack | null {
    return this.sources[kind]?.raw ?? null;
  }

  /** Whether the source of that kind is a device that was opened here. */
  isDevice(kind: Kind): boolean {
    const source = this.sources[kind];
    return source !== null && source.own && (kind === 'audio' || this.wishes.videoKind === 'camera');
  }

  /** Takes another device, by its id or the default one. Rejects with a capture error; the old source then goes on. */
  async switchTo(kind: Kind, deviceId: string | true): Promise<void> {
    // Phones open one camera at a time: the old one must be let go first, and is opened again if the new one fails.
    const before = this.sources[kind];
    const media = await capture({
      ...this.wishes.capture,
      audio: kind === 'audio' ? deviceId : false,
      video: kind === 'video' ? deviceId : false,
      facingMode: undefined,
    });
    const [track] = media.getTracks();
    if (track === undefined) throw new OTError('OT_UNABLE_TO_CAPTURE_MEDIA', 'The device gave no track.');
    if (this.stopped) {
      track.stop();
      throw new OTError('OT_UNABLE_TO_CAPTURE_MEDIA', 'The publisher was destroyed meanwhile.');
    }
    await this.install(kind, track, true);
    if (before?.own === true) before.raw.stop();
  }

  /** Takes a track of the application's. */
  async take(kind: Kind, track: MediaStreamTrack): Promise<void> {
    const before = this.sources[kind];
    await this.install(kind, track, false);
    if (before?.own === true && before.raw !== track) before.raw.stop();
  }

  /** Lets the camera go while no picture is wanted; `reopen` takes it again. */
  release(): void {
    if (this.isDevice('video')) this.sources.video?.raw.stop();
  }

  /** Whether the camera was let go. */
  get isReleased(): boolean {
    return this.isDevice('video') && this.raw('video')?.readyState === 'ended';
  }

  /** Opens the camera that was released; does nothing when it is open. */
  async reopen(): Promise<void> {
    if (this.isReleased) await this.switchTo('video', this.raw('video')?.getSettings().deviceId ?? true);
  }

  /** Sends what `processor` makes of the source from now on; null sends the source itself. */
  async process(kind: Kind, processor: Processor | null): Promise<void> {
    const before = this.processors[kind];
    this.processors[kind] = processor;
    const source = this.sources[kind];
    try {
      if (source !== null) await this.install(kind, source.raw, source.own);
    } catch (error) {
      this.processors[kind] = before;
      throw error;
    }
    await before?.destroy();
  }

  hasProcessor(kind: Kind): boolean {
    return this.processors[kind] !== null;
  }

  /** Applies a filter of the browser's own, or takes the present one off. Rejects with OT_NOT_SUPPORTED. */
  async filter(kind: Kind, filter: Filter | null): Promise<void> {
    const raw = this.raw(kind);
    if (raw !== null) await setFilter(raw, this.filters[kind], filter);
    this.filters[kind] = filter;
  }

  /** Ends what was opened here. */
  stop(): void {
    this.stopped = true;
    for (const kind of ['audio', 'video'] as const) {
      const source = this.sources[kind];
      if (source?.own === true) source.raw.stop();
      void this.processors[kind]?.destroy().catch(() => undefined);
    }
  }

  private async openAll(opened: { track: MediaStreamTrack; own: boolean }[]): Promise<void> {
    const { audioTrack, videoTrack, videoKind, capture: wished, screenSound, maxWidth, maxHeight } = this.wishes;
    for (const track of [audioTrack, videoTrack]) if (track !== null) opened.push({ track, own: false });
    const needs = {
      audio: audioTrack === null ? wished.audio : false,
      video: videoKind === 'camera' ? wished.video : false,
    };
    if (videoKind === 'screen') {
      const sound = screenSound && needs.audio === true;
      const screen = await captureScreen({
        width: maxWidth,
        height: maxHeight,
        frameRate: wished.frameRate,
        audio: sound,
      });
      for (const track of screen.getTracks()) opened.push({ track, own: true });
      needs.audio = typeof needs.audio === 'string' ? needs.audio : false;
    }
    if (needs.audio === false && needs.video === false && opened.length > 0) return;
    const captured = await capture({ ...wished, ...needs });
    for (const track of captured.getTracks()) opened.push({ track, own: true });
  }

  private async install(kind: Kind, raw: MediaStreamTrack, own: boolean): Promise<void> {
    const filter = this.filters[kind];
    if (filter !== null) await setFilter(raw, null, filter);
    const processor = this.processors[kind];
    const shown = processor === null ? raw : await processor.setTrack(raw);
    const before = this.sources[kind];
    this.sources[kind] = { raw, shown, own };
    if (before?.raw !== raw)
      raw.addEventListener('ended', () => {
        if (this.sources[kind]?.raw === raw) this.watcher.ended(kind, raw);
      });
    if (before !== null && before.shown !== shown) this.media.removeTrack(before.shown);
    if (before?.shown !== shown) this.media.addTrack(shown);
    if (before !== null) await this.watcher.changed(kind, shown);
  }
}

/** The camera after `current` in the browser's list, or the first. Rejects when there is none. */
export async function nextCamera(current: string | undefined): Promise<string> {
  const cameras = (await listDevices('videoinput')).map(({ deviceId }) => deviceId);
  if (cameras.length === 0) throw new OTError('OT_NO_DEVICES_FOUND', 'There is no camera.');
  const next = cameras[(cameras.indexOf(current ?? '') + 1) % cameras.length];
  return next ?? '';
}

/** What a Subscriber asks the server for: sound, picture, and the picture's size and rate. */
import { OTError } from '../errors.ts';
import { preferredFrameRate, preferredResolution, type PictureWishes, type SubscriberOptions } from '../options.ts';
import type { Dimensions, SubscriptionWishes } from '../wire/index.ts';

/** How long an element must keep its size before a picture of that size is asked for. */
const STEADY_SIZE_MS = 250;

export class SubscriberWishes {
  audio: boolean;
  video: boolean;
  private picture: PictureWishes;
  private restricted = false;
  /** The size in which the element is shown, in device pixels. */
  private shownSize: Dimensions | null = null;
  private shownIn: HTMLVideoElement | null = null;
  private watcher: ResizeObserver | null = null;

  /** Calls `tell` whenever the server should hear of a change. */
  constructor(
    options: SubscriberOptions,
    private readonly tell: () => void,
  ) {
    this.audio = options.subscribeToAudio;
    this.video = options.subscribeToVideo;
    this.picture = options.picture;
  }

  /** Takes `auto`, a size, or null for no wish. Rejects with OT_INVALID_PARAMETER. */
  async setResolution(size: unknown): Promise<void> {
    const resolution = preferredResolution(size);
    if (resolution === null && size !== null && size !== undefined)
      throw new OTError('OT_INVALID_PARAMETER', 'A resolution is auto, null or has a width and a height.');
    this.picture = { ...this.picture, resolution };
    this.watch(this.shownIn);
    this.tell();
  }

  /** Takes frames per second, or null for no wish. Rejects with OT_INVALID_PARAMETER. */
  async setFrameRate(rate: unknown): Promise<void> {
    const frameRate = preferredFrameRate(rate);
    if (frameRate === null && rate !== null && rate !== undefined)
      throw new OTError('OT_INVALID_PARAMETER', 'A frame rate is null or a number above 0.');
    this.picture = { ...this.picture, frameRate };
    this.tell();
  }

  /** At most about one picture a second, or no such limit. */
  restrict(restricted: boolean): void {
    this.restricted = restricted;
    this.tell();
  }

  /** The element that shows the picture: with `auto`, its size is asked for as soon as that has settled. */
  watch(video: HTMLVideoElement | null): void {
    this.stop();
    this.shownIn = video;
    if (this.picture.resolution !== 'auto' || video === null || typeof ResizeObserver !== 'function') return;
    let steady: ReturnType<typeof setTimeout> | undefined;
    this.watcher = new ResizeObserver(() => {
      clearTimeout(steady);
      steady = setTimeout(() => {
        this.sized(video);
      }, STEADY_SIZE_MS);
    });
    this.watcher.observe(video);
  }

  stop(): void {
    this.watcher?.disconnect();
    this.watcher = null;
  }

  toWire(): SubscriptionWishes {
    const { resolution, frameRate } = this.picture;
    const size = resolution === 'auto' ? this.shownSize : resolution;
    const rate = this.restricted ? 1 : frameRate;
    return {
      audio: this.audio,
      video: this.video,
      ...(size === null ? {} : { resolution: size }),
      ...(rate === null ? {} : { frameRate: rate }),
    };
  }

  private sized({ clientWidth, clientHeight }: HTMLVideoElement): void {
    const width = Math.round(clientWidth * devicePixelRatio);
    const height = Math.round(clientHeight * devicePixelRatio);
    const known = this.shownSize;
    if (width === 0 || height === 0 || (known?.width === width && known.height === height)) return;
    this.shownSize = { width, height };
    this.tell();
  }
}

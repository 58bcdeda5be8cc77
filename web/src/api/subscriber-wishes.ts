/** What a Subscriber asks the server for: sound, picture, and the picture's size and rate. */
import { OTError } from '../errors.ts';
import { preferredFrameRate, preferredResolution, type PictureWishes, type SubscriberOptions } from '../options.ts';
import type { Dimensions, SubscriptionWishes } from '../wire/index.ts';
import { ShownSize } from './shown-size.ts';

/** What is asked for while the element is out of sight: the smallest encoding, and the fewest frames. */
const HIDDEN = { resolution: { width: 1, height: 1 }, frameRate: 1 };

export class SubscriberWishes {
  audio: boolean;
  video: boolean;
  private picture: PictureWishes;
  private restricted = false;
  private element: HTMLVideoElement | null = null;
  private shown: ShownSize | null = null;

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
    this.watch(this.element);
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

  /**
   * The element that shows the picture. With `auto`, its size is asked for as soon as that has settled, and the least that
   * the publisher sends while nobody can see it.
   */
  watch(video: HTMLVideoElement | null): void {
    this.stop();
    this.element = video;
    if (this.picture.resolution === 'auto' && video !== null) this.shown = new ShownSize(video, this.tell);
  }

  stop(): void {
    this.shown?.stop();
    this.shown = null;
  }

  toWire(): SubscriptionWishes {
    const size = this.resolution();
    const rate = this.restricted
      ? 1
      : (this.picture.frameRate ?? (this.shown?.hidden === true ? HIDDEN.frameRate : null));
    return {
      audio: this.audio,
      video: this.video,
      ...(size === null ? {} : { resolution: size }),
      ...(rate === null ? {} : { frameRate: rate }),
    };
  }

  private resolution(): Dimensions | null {
    const { resolution } = this.picture;
    if (resolution !== 'auto') return resolution;
    return this.shown?.hidden === true ? HIDDEN.resolution : (this.shown?.size ?? null);
  }
}

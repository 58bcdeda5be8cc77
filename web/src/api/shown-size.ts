/** In which size a video element is shown, and whether it can be seen at all. */
import type { Dimensions } from '../wire/index.ts';

/** How long an element must keep its size before a picture of that size is asked for. */
const STEADY_SIZE_MS = 250;
/** How long an element must be out of sight before that counts: pages are scrolled, and tabs looked into for a moment. */
const HIDDEN_MS = 1000;

export class ShownSize {
  /** In device pixels; null until it is known. */
  size: Dimensions | null = null;
  /** Out of the viewport, not rendered, or in a page that is not shown. */
  hidden = false;
  private readonly observers: { disconnect(): void }[] = [];
  private inView = true;
  private steady: ReturnType<typeof setTimeout> | undefined;
  private hiding: ReturnType<typeof setTimeout> | undefined;

  /** Watches until `stop`. Calls `changed` when `size` has another value or `hidden` has. */
  constructor(
    private readonly video: HTMLVideoElement,
    private readonly changed: () => void,
  ) {
    if (typeof ResizeObserver === 'function') this.observe(new ResizeObserver(this.resized));
    if (typeof IntersectionObserver === 'function') this.observe(new IntersectionObserver(this.moved));
    document.addEventListener('visibilitychange', this.judge);
    // A picture in a window of its own is seen whatever its page does.
    video.addEventListener('enterpictureinpicture', this.judge);
    video.addEventListener('leavepictureinpicture', this.judge);
    this.judge();
  }

  stop(): void {
    for (const observer of this.observers) observer.disconnect();
    document.removeEventListener('visibilitychange', this.judge);
    this.video.removeEventListener('enterpictureinpicture', this.judge);
    this.video.removeEventListener('leavepictureinpicture', this.judge);
    clearTimeout(this.steady);
    clearTimeout(this.hiding);
  }

  private observe(observer: ResizeObserver | IntersectionObserver): void {
    observer.observe(this.video);
    this.observers.push(observer);
  }

  private readonly resized = (): void => {
    clearTimeout(this.steady);
    this.steady = setTimeout(() => {
      this.measure();
    }, STEADY_SIZE_MS);
  };

  private readonly moved = (entries: readonly IntersectionObserverEntry[]): void => {
    const last = entries.at(-1);
    if (last === undefined) return;
    this.inView = last.isIntersecting;
    this.judge();
  };

  private readonly judge = (): void => {
    const seen = document.pictureInPictureElement === this.video || (this.inView && !document.hidden);
    if (!seen) {
      this.hiding ??= setTimeout(() => {
        this.hide(true);
      }, HIDDEN_MS);
      return;
    }
    clearTimeout(this.hiding);
    this.hiding = undefined;
    this.hide(false);
  };

  private hide(hidden: boolean): void {
    if (this.hidden === hidden) return;
    this.hidden = hidden;
    this.changed();
  }

  private measure(): void {
    const { clientWidth, clientHeight } = this.video;
    const width = Math.round(clientWidth * devicePixelRatio);
    const height = Math.round(clientHeight * devicePixelRatio);
    // An element without size is hidden, and comes back in the size that it had.
    if (width === 0 || height === 0 || (this.size?.width === width && this.size.height === height)) return;
    this.size = { width, height };
    this.changed();
  }
}

/** What publishers and subscribers have in common: an element in the page, its look, its picture, its sound level. */
import { LateTarget, parseStyle, type Widget, type WidgetStyle } from '../dom/index.ts';
import { OTError } from '../errors.ts';
import { logger } from '../logger.ts';
import type { Properties } from '../options.ts';
import type { Dimensions } from '../wire/index.ts';
import type { Target } from './arguments.ts';
import { Emitter, queueEvent } from './emitter.ts';
import type { Era } from './era.ts';
import { AudioLevelUpdatedEvent, VideoDimensionsChangedEvent, VideoElementCreatedEvent } from './events.ts';
import type { Stream } from './values.ts';

/** Twenty levels a second, and none while nobody listens and no meter is to be seen. */
const LEVEL_INTERVAL_MS = 50;

export class View extends Emitter {
  /** The root element; undefined with `insertDefaultUI: false`. */
  element: HTMLElement | undefined;
  /** The root element's id. */
  id: string | undefined;
  widgetId: string | undefined;
  stream: Stream | undefined = undefined;
  /** Null until the arguments were found to be good. */
  protected widget: Widget | null = null;
  #levels: ReturnType<typeof setInterval> | null = null;
  #size: Dimensions | null = null;
  readonly #era: Era;

  constructor(era: Era) {
    super(era);
    this.#era = era;
  }

  get streamId(): string | undefined {
    return this.stream?.streamId;
  }

  /** The current picture as base-64 PNG without `data:` prefix; null when there is none. */
  getImgData(): string | null {
    return this.widget?.snapshot() ?? null;
  }

  /** The value of one style key, or all. */
  getStyle(): WidgetStyle;
  getStyle<Key extends keyof WidgetStyle>(key: Key): WidgetStyle[Key];
  getStyle(key?: keyof WidgetStyle): unknown {
    const style = this.widget?.getStyle();
    return key === undefined ? style : style?.[key];
  }

  /** Changes one style key, or several; unknown keys and values are ignored. */
  setStyle(keyOrStyle?: string | Properties | null, value?: unknown): this {
    const wished = typeof keyOrStyle === 'string' ? { [keyOrStyle]: value } : keyOrStyle;
    if (typeof wished !== 'object' || wished === null) return this;
    const style = parseStyle(wished, (key) => {
      logger.warn(`The style ${key} is unknown or has a value that it cannot have; it is ignored.`);
    });
    this.widget?.setStyle(style);
    this.updateLevels();
    return this;
  }

  /** Width of the picture; undefined before the first. */
  videoWidth(): number | undefined {
    return this.widget?.video.videoWidth || undefined;
  }

  /** Height of the picture; undefined before the first. */
  videoHeight(): number | undefined {
    return this.widget?.video.videoHeight || undefined;
  }

  /**
   * The element that the application means, null for none. While the page is being parsed it may be one that is still to
   * come. Throws OT_INVALID_PARAMETER for one that is not there.
   */
  protected findTarget(target: Target, inPage: boolean): HTMLElement | LateTarget | null {
    if (!inPage) {
      if (target !== null) logger.warn('Without the default user interface the target is ignored.');
      return null;
    }
    if (typeof target === 'object' && target !== null) return target;
    const find = (id: string): HTMLElement | undefined => this.#era.elementWithId(id);
    const found = target === null ? document.body : find(target); // no body in the head of a page
    const absent = new OTError('OT_INVALID_PARAMETER', `There is no element with the id "${String(target)}".`);
    if (document.readyState === 'loading' && !(found as HTMLElement | null | undefined))
      return new LateTarget(target, find, () => {
        this.elementMissing(absent);
      });
    if (found === undefined) throw absent;
    return target === null ? null : found;
  }

  /** The id of a new element. */
  protected newElementId(kind: 'publisher' | 'subscriber'): string {
    return this.#era.newElementId(kind, this.streamId ?? '');
  }

  /** The page is parsed, and has no element for this view. */
  protected elementMissing(_error: OTError): void {
    // views in the page say what follows
  }

  protected adopt(widget: Widget, inPage: boolean): void {
    this.widget = widget;
    this.element = inPage ? widget.root : undefined;
    this.id = widget.id;
    this.widgetId = widget.id;
    widget.video.addEventListener('resize', () => {
      this.#resized(widget.video);
    });
  }

  protected announceVideoElement(widget: Widget): void {
    queueEvent(this, new VideoElementCreatedEvent(widget.video));
  }

  /** What `readLevel` says, for the library's other parts. */
  _level(): number | null {
    return this.readLevel();
  }

  /** The loudness of this moment, from 0 to 1; null when there is no sound to measure any more. */
  protected readLevel(): number | null {
    return null;
  }

  /** Starts or stops measuring, by whether anybody listens or looks. */
  protected updateLevels(): void {
    const wanted = this.readLevel() !== null && (this._hears('audioLevelUpdated') || this.widget?.showsMeter === true);
    if (wanted && this.#levels === null) {
      this.#levels = setInterval(() => {
        this.#measure();
      }, LEVEL_INTERVAL_MS);
    } else if (!wanted && this.#levels !== null) {
      clearInterval(this.#levels);
      this.#levels = null;
      this.widget?.setLevel(0);
    }
  }

  protected override listenersChanged(): void {
    this.updateLevels();
  }

  #measure(): void {
    const level = this.readLevel();
    if (level === null) {
      this.updateLevels();
      return;
    }
    this.widget?.setLevel(level);
    if (this._hears('audioLevelUpdated')) queueEvent(this, new AudioLevelUpdatedEvent(level));
  }

  #resized({ videoWidth: width, videoHeight: height }: HTMLVideoElement): void {
    if (width === 0 || height === 0) return;
    const before = this.#size;
    this.#size = { width, height };
    if (before !== null && (before.width !== width || before.height !== height))
      queueEvent(this, new VideoDimensionsChangedEvent(before, this.#size));
  }
}

/** What publishers and subscribers have in common: an element in the page, its look, its picture. */
import { parseStyle, type Widget, type WidgetStyle } from '../dom/index.ts';
import { logger } from '../logger.ts';
import type { Properties } from '../options.ts';
import { Emitter, queueEvent } from './emitter.ts';
import { VideoElementCreatedEvent } from './events.ts';
import type { Stream } from './values.ts';

export class View extends Emitter {
  /** The root element; undefined with `insertDefaultUI: false`. */
  element: HTMLElement | undefined;
  /** The root element's id. */
  id: string | undefined;
  widgetId: string | undefined;
  stream: Stream | undefined = undefined;
  /** Null until the arguments were found to be good. */
  protected widget: Widget | null = null;

  get streamId(): string | undefined {
    return this.stream?.streamId;
  }

  /** The current picture as base-64 PNG without `data:` prefix; null when there is none. */
  getImgData(): string | null {
    return this.widget?.snapshot() ?? null;
  }

  /** The value of one style key, or all. */
  getStyle(key?: keyof WidgetStyle): unknown {
    const style = this.widget?.getStyle();
    return key === undefined ? style : style?.[key];
  }

  /** Changes one style key, or several; unknown keys and values are ignored. */
  setStyle(keyOrStyle: string | Properties, value?: unknown): this {
    const wished = typeof keyOrStyle === 'string' ? { [keyOrStyle]: value } : keyOrStyle;
    const style = parseStyle(wished, (key) => {
      logger.warn(`The style ${key} is unknown or has a value that it cannot have; it is ignored.`);
    });
    this.widget?.setStyle(style);
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

  protected adopt(widget: Widget, inPage: boolean): void {
    this.widget = widget;
    this.element = inPage ? widget.root : undefined;
    this.id = widget.id;
    this.widgetId = widget.id;
  }

  protected announceVideoElement(widget: Widget): void {
    queueEvent(this, new VideoElementCreatedEvent(widget.video));
  }
}

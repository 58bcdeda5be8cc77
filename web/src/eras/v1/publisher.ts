/** A Publisher of the first era. */
import { Event, fire, queueJob, type Page, type Target } from '../../api/index.ts';
import type { Properties } from '../../options.ts';
import { DevicePublisher } from './device-publisher.ts';
import { publisherWishes } from './options.ts';
import { whenParsed } from './readiness.ts';
import { ButtonStyle } from './style.ts';

export class PublisherV1 extends DevicePublisher {
  /** The id of the element that the application gave. */
  readonly replacedDivId: string | undefined;
  /** Every property with its effective value. */
  readonly properties: Properties;
  readonly #buttons = new ButtonStyle();
  #loaded = false;

  constructor(page: Page, target: Target, given: Properties) {
    const { properties, devices, effective } = publisherWishes(given);
    const { style } = properties;
    super(page, target, { ...properties, style: undefined }, devices);
    this.replacedDivId = typeof target === 'string' ? target : target?.id;
    this.properties = effective;
    this.setStyle(style as Properties | undefined);
    whenParsed(() => {
      queueJob(() => {
        if (this._isDestroyed) return;
        this.#loaded = true;
        fire(this, new Event('loaded'));
      });
    });
  }

  /** Whether the view is in the page, which it is before the user has been asked for devices. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** The older `publishAudio(true)`. */
  enableMicrophone(): this {
    return this.publishAudio(true);
  }

  disableMicrophone(): this {
    return this.publishAudio(false);
  }

  override getStyle(key?: string): never {
    const style = { ...super.getStyle(), ...this.#buttons.values() };
    return (key === undefined ? style : (style as Properties)[key]) as never;
  }

  override setStyle(keyOrStyle?: string | Properties | null, value?: unknown): this {
    const wished = typeof keyOrStyle === 'string' ? { [keyOrStyle]: value } : keyOrStyle;
    if (typeof wished !== 'object' || wished === null) return this;
    super.setStyle(this.#buttons.take(wished));
    this.#buttons.apply(this.element);
    return this;
  }

  /** In this era `loaded` was told before. */
  protected override pictureShown(): void {
    // nothing more
  }
}

/** A Publisher of the first era. */
import type { Page, Target } from '../../api/index.ts';
import type { Properties } from '../../options.ts';
import { DevicePublisher } from './device-publisher.ts';
import { publisherWishes } from './options.ts';
import { ButtonStyle } from './style.ts';

export class PublisherV1 extends DevicePublisher {
  /** The id of the element that the application gave. */
  readonly replacedDivId: string | undefined;
  /** Every property with its effective value. */
  readonly properties: Properties;
  readonly #buttons = new ButtonStyle();

  constructor(page: Page, target: Target, given: Properties) {
    const { properties, devices, effective } = publisherWishes(given);
    const { style } = properties;
    super(page, target, { ...properties, style: undefined }, devices);
    this.replacedDivId = typeof target === 'string' ? target : target?.id;
    this.properties = effective;
    this.setStyle(style as Properties | undefined);
  }

  /** Whether the view shows what it has to show. */
  get loaded(): boolean {
    return this.element?.classList.contains('OT_loading') === false;
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
}

/** A Player, which would show an archive; the server keeps none, and it says so. */
import { Emitter, Event, queueEvent, type Page } from '../../api/index.ts';
import { OTError } from '../../errors.ts';
import { flag, type Properties } from '../../options.ts';
import { NO_ARCHIVES } from './archiving-session.ts';
import { logger } from '../../logger.ts';

const WIDTH = 320;
const HEIGHT = 271;

export class Player extends Emitter {
  readonly id: string;
  archiveId: string;
  readonly _root = document.createElement('div');
  readonly #page: Page;
  readonly #styles: Record<string, boolean> = {
    showPlayButton: true,
    showStopButton: true,
    showSpeakerButton: true,
    showPreviewTime: true,
  };

  /** `place` is the element that it fills; null for a new one at the end of the page. */
  constructor(page: Page, id: string, archiveId: string, place: HTMLElement | null, properties: Properties) {
    super(page.era);
    this.#page = page;
    this.id = id;
    this.archiveId = archiveId;
    const { _root: root } = this;
    root.id = id;
    root.setAttribute('role', 'status');
    root.textContent = 'This recording cannot be played here.';
    root.style.cssText =
      'display:grid;place-content:center;padding:16px;box-sizing:border-box;max-width:100%;' +
      'background:#14181f;color:#f4f6f8;font:500 14px/1.4 system-ui,sans-serif;text-align:center';
    root.style.width = `${Number(properties['width']) || WIDTH}px`;
    root.style.height = `${Number(properties['height']) || HEIGHT}px`;
    if (place === null) document.body.append(root);
    else place.replaceChildren(root);
    this.setStyle(properties['style'] as Properties | undefined);
    queueEvent(this, new Event('loaded'));
    this.loadArchive(archiveId);
    if (flag(properties['autoPlay'], false)) this.play();
  }

  /** Exception 3000. */
  loadArchive(archiveId?: unknown): void {
    this.archiveId = String(archiveId ?? this.archiveId);
    this.#fail(3000);
  }

  /** Exception 3003. */
  play(): void {
    this.#fail(3003);
  }

  /** Exception 3002. */
  pause(): void {
    this.#fail(3002);
  }

  /** Exception 3002. */
  stop(): void {
    this.#fail(3002);
  }

  getStyle(key?: string): unknown {
    return key === undefined ? { ...this.#styles } : this.#styles[key];
  }

  setStyle(keyOrStyle?: string | Properties, value?: unknown): this {
    const wished = typeof keyOrStyle === 'string' ? { [keyOrStyle]: value } : (keyOrStyle ?? {});
    for (const [key, given] of Object.entries(wished)) {
      if (Object.hasOwn(this.#styles, key)) this.#styles[key] = flag(given, true);
      else logger.warn(`The style ${key} is unknown; it is ignored.`);
    }
    return this;
  }

  #fail(code: number): void {
    this.#page.raise(new OTError('OT_NOT_SUPPORTED', NO_ARCHIVES, code), this);
  }
}

/** A Recorder: records camera and microphone in this browser, and plays back what it recorded. */
import { Event, queueEvent, type Page, type Target } from '../../api/index.ts';
import { OTError } from '../../errors.ts';
import { flag, type Properties } from '../../options.ts';
import { NO_ARCHIVES } from './archiving-session.ts';
import { DevicePublisher } from './device-publisher.ts';
import { publisherWishes } from './options.ts';
import { RecorderBar } from './recorder-bar.ts';

const WIDTH = 320;
const HEIGHT = 271;
const BAR_HEIGHT = 31;
const LONGEST_MS = 90 * 60 * 1000;

const BAR_STYLES = {
  showControlBar: true,
  showPlayCounter: true,
  showRecordCounter: true,
  showSaveButton: true,
  showMicButton: true,
  showSettingsButton: true,
  showCameraToggleButton: true,
};

export class Recorder extends DevicePublisher {
  title = '';
  readonly #page: Page;
  readonly #styles: Record<string, boolean> = { ...BAR_STYLES };
  readonly #bar: RecorderBar | null;
  #recorder: MediaRecorder | null = null;
  #limit: ReturnType<typeof setTimeout> | null = null;
  #recorded: Blob | null = null;
  #playing: HTMLVideoElement | null = null;

  constructor(page: Page, target: Target, given: Properties) {
    const { properties, devices } = publisherWishes(given);
    const style = (properties['style'] ?? {}) as Properties;
    const hasBar = flag(style['showControlBar'], true);
    super(
      page,
      target,
      {
        ...properties,
        width: properties['width'] ?? WIDTH,
        height: properties['height'] ?? (hasBar ? HEIGHT : HEIGHT - BAR_HEIGHT),
        style: undefined,
      },
      devices,
    );
    this.#page = page;
    this.#bar = this.#makeBar();
    this.setStyle(style);
  }

  /** Records from now on, for 90 minutes at most; what was recorded before is forgotten. */
  startRecording(title?: unknown): void {
    if (title !== undefined) this.setTitle(title);
    if (this.#recorder !== null) return;
    this.stopPlaying();
    void this.#record().catch((thrown: unknown) => {
      this.#fail(3004, `The recording cannot begin: ${(thrown as Error).message}`);
    });
  }

  stopRecording(): void {
    if (this.#recorder?.state === 'recording') this.#recorder.stop();
  }

  startPlaying(): void {
    if (this.#recorded === null) {
      this.#fail(3003, 'Nothing has been recorded.');
      return;
    }
    if (this.#playing !== null || this.element === undefined) return;
    const video = document.createElement('video');
    video.src = URL.createObjectURL(this.#recorded);
    video.style.cssText = 'position:absolute;inset:0;width:100%;height:100%;object-fit:cover;background:#000';
    video.setAttribute('aria-label', 'The recording');
    video.addEventListener('ended', () => {
      this.stopPlaying();
    });
    this.#playing = video;
    this.element.querySelector('.OT_widget-container')?.append(video);
    video.play().then(
      () => {
        queueEvent(this, new Event('playbackStarted'));
      },
      (thrown: unknown) => {
        this.#endPlaying();
        this.#fail(3003, (thrown as Error).message);
      },
    );
    this.#bar?.show({ recording: false, playing: true, recorded: true });
  }

  stopPlaying(): void {
    if (this.#playing === null) return;
    this.#endPlaying();
    queueEvent(this, new Event('playbackStopped'));
  }

  /** Exception 3008: the server keeps no archives. The recording stays on this page. */
  saveArchive(): void {
    this.#fail(3008, NO_ARCHIVES);
  }

  setTitle(title?: unknown): void {
    this.title = String(title ?? '');
  }

  override getStyle(key?: string): never {
    const style = { ...(super.getStyle() as object), ...this.#styles };
    return (key === undefined ? style : (style as Properties)[key]) as never;
  }

  override setStyle(keyOrStyle?: string | Properties | null, value?: unknown): this {
    const wished = typeof keyOrStyle === 'string' ? { [keyOrStyle]: value } : keyOrStyle;
    if (typeof wished !== 'object' || wished === null) return this;
    const others: Record<string, unknown> = {};
    for (const [key, given] of Object.entries(wished)) {
      if (Object.hasOwn(BAR_STYLES, key)) this.#styles[key] = flag(given, true);
      else others[key] = given;
    }
    super.setStyle(others);
    this.#bar?.style(this.#styles);
    const settings = this.element?.querySelector<HTMLElement>('.OT_settings');
    if (settings) settings.style.display = this.#styles['showSettingsButton'] === true ? '' : 'none';
    return this;
  }

  override _destroy(reason: Parameters<DevicePublisher['_destroy']>[0]): void {
    if (this.#limit !== null) clearTimeout(this.#limit);
    if (this.#recorder?.state === 'recording') this.#recorder.stop();
    this.#endPlaying();
    super._destroy(reason);
  }

  async #record(): Promise<void> {
    await this._ready;
    if (this._isDestroyed || this.#recorder !== null) return;
    const tracks = Object.values(this._tracksInUse()) as readonly (MediaStreamTrack | null)[];
    const recorder = new MediaRecorder(new MediaStream(tracks.filter((track) => track !== null)));
    const parts: Blob[] = [];
    recorder.addEventListener('dataavailable', ({ data }) => parts.push(data));
    recorder.addEventListener('stop', () => {
      this.#recorder = null;
      if (this.#limit !== null) clearTimeout(this.#limit);
      this.#recorded = new Blob(parts, { type: recorder.mimeType });
      if (this._isDestroyed) return;
      this.#bar?.show({ recording: false, playing: false, recorded: true });
      queueEvent(this, new Event('recordingStopped'));
    });
    recorder.start();
    this.#recorder = recorder;
    this.#limit = setTimeout(() => {
      this.stopRecording();
    }, LONGEST_MS);
    this.#bar?.show({ recording: true, playing: false, recorded: false });
    queueEvent(this, new Event('recordingStarted'));
  }

  #endPlaying(): void {
    if (this.#playing === null) return;
    URL.revokeObjectURL(this.#playing.src);
    this.#playing.remove();
    this.#playing = null;
    this.#bar?.show({ recording: false, playing: false, recorded: true });
  }

  #makeBar(): RecorderBar | null {
    if (this.element === undefined) return null;
    return new RecorderBar(this.element, {
      record: () => {
        if (this.#recorder === null) this.startRecording();
        else this.stopRecording();
      },
      play: () => {
        if (this.#playing === null) this.startPlaying();
        else this.stopPlaying();
      },
      save: () => {
        this.saveArchive();
      },
    });
  }

  #fail(code: number, message: string): void {
    this.#page.raise(new OTError('OT_NOT_SUPPORTED', message, code), this);
  }
}

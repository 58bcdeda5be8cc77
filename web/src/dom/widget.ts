/** One publisher's or subscriber's element: a video with a poster, a name bar, a mute button and a level meter. */
import { insertRoot, LateTarget, newElementId, type InsertMode } from './insert.ts';
import { injectStyle } from './style.ts';
import { backgroundImage, DEFAULT_STYLE, type DisplayMode, type WidgetStyle } from './widget-style.ts';

export interface WidgetOptions {
  readonly kind: 'publisher' | 'subscriber';
  readonly target: HTMLElement | LateTarget | null;
  /** The id of a new element. */
  readonly newId?: () => string;
  readonly insertMode: InsertMode;
  /** False: nothing is put into the page, the application takes the video element. */
  readonly insertDefaultUI: boolean;
  readonly width: number | string;
  readonly height: number | string;
  readonly fitMode: 'cover' | 'contain';
  readonly mirror: boolean;
  readonly showControls: boolean;
  readonly name: string;
  readonly initials: string;
  readonly style: Partial<WidgetStyle>;
}

export class Widget {
  /** In the page unless the application takes the video itself. */
  readonly root: HTMLElement;
  readonly id: string;
  readonly video: HTMLVideoElement;
  /** Called when the mute button is pressed. */
  onMutePressed: () => void = () => undefined;
  /** Called when the button that lets held-back sound start is pressed. */
  onUnblockPressed: () => void = () => undefined;

  private readonly style: WidgetStyle;
  private readonly poster: HTMLElement;
  private readonly nameBar: HTMLElement;
  private readonly bar: HTMLElement;
  private readonly mute: HTMLButtonElement;
  private readonly meter: HTMLElement;
  private readonly meterValue: HTMLElement;
  private readonly disabled: HTMLElement;
  private readonly blocked: HTMLButtonElement;
  private readonly archiving: HTMLElement;
  private readonly archivingStatus: HTMLElement;

  constructor(private readonly options: WidgetOptions) {
    injectStyle();
    const { kind, target, insertMode, insertDefaultUI, newId } = options;
    this.style = { ...DEFAULT_STYLE, ...options.style };
    this.root = insertDefaultUI ? insertRoot(target, insertMode, newId) : make('div');
    this.id = insertDefaultUI ? this.root.id : newElementId();
    this.video = make('video', 'OT_video-element');
    this.poster = make('div', 'OT_video-poster');
    this.nameBar = make('div', 'OT_name', 'OT_edge-bar-item');
    this.bar = make('div', 'OT_bar', 'OT_edge-bar-item');
    this.mute = make('button', 'OT_mute', 'OT_edge-bar-item');
    this.meter = make('div', 'OT_audio-level-meter');
    this.meterValue = make('div', 'OT_audio-level-meter__value');
    this.disabled = make('div', 'OT_video-disabled-indicator', 'OT_edge-bar-item');
    this.blocked = make('button', 'OT_audio-blocked-indicator', 'OT_edge-bar-item');
    this.archiving = make('div', 'OT_archiving', 'OT_edge-bar-item', 'OT_archiving-off');
    this.archivingStatus = make('span', 'OT_archiving-status');
    this.build(kind);
    this.applyStyle();
  }

  setLoading(loading: boolean): void {
    this.root.classList.toggle('OT_loading', loading);
  }

  /** Shows the poster in place of the picture. */
  setAudioOnly(audioOnly: boolean): void {
    this.root.classList.toggle('OT_audio-only', audioOnly);
    if (!audioOnly) this.setLevel(0);
  }

  /** Keeps the picture out of sight whatever the style sheet says, or lets it be seen. */
  setPictureVisible(visible: boolean): void {
    this.video.style.visibility = visible ? '' : 'hidden';
  }

  setMuted(muted: boolean): void {
    this.mute.classList.toggle('OT_active', muted);
    this.mute.setAttribute('aria-pressed', String(muted));
    const word = muted ? 'Unmute' : 'Mute';
    this.mute.title = word;
    this.mute.setAttribute('aria-label', `${word} ${this.options.kind === 'publisher' ? 'microphone' : 'sound'}`);
  }

  /** Says that the video is left out for bandwidth, or soon will be. */
  setVideoDisabled(state: 'no' | 'warning' | 'disabled'): void {
    this.disabled.classList.toggle('OT_active', state === 'disabled');
    this.disabled.classList.toggle('OT_warning', state === 'warning');
    const words = {
      no: '',
      warning: 'The network is slow; the video may stop.',
      disabled: 'The video is off because the network is slow.',
    };
    this.disabled.title = words[state];
    this.disabled.setAttribute('aria-label', words[state]);
    this.disabled.setAttribute('aria-hidden', String(state === 'no'));
  }

  /** Offers the button that lets sound start which the browser holds back. */
  setAudioBlocked(blocked: boolean): void {
    this.blocked.classList.toggle('OT_active', blocked);
    this.blocked.tabIndex = blocked ? 0 : -1;
    this.root.classList.toggle('OT_audio-blocked', blocked);
  }

  /** Shows that the session is being archived. */
  setArchiving(archiving: boolean): void {
    this.archiving.classList.toggle('OT_archiving-on', archiving);
    this.archiving.classList.toggle('OT_archiving-off', !archiving);
    this.archivingStatus.textContent = archiving ? 'Recording' : '';
    this.applyStyle();
  }

  /** Whether the level meter is to be seen now. */
  get showsMeter(): boolean {
    const { showControls, insertDefaultUI } = this.options;
    const mode = this.style.audioLevelDisplayMode;
    if (!showControls || !insertDefaultUI || mode === 'off') return false;
    return mode === 'on' || this.root.classList.contains('OT_audio-only');
  }

  setFitMode(mode: 'cover' | 'contain'): void {
    this.root.classList.toggle('OT_fit-mode-cover', mode === 'cover');
    this.root.classList.toggle('OT_fit-mode-contain', mode === 'contain');
  }

  /** `level` is a linear amplitude from 0 to 1. */
  setLevel(level: number): void {
    this.meterValue.style.width = `${Math.round(Math.sqrt(Math.min(1, Math.max(0, level))) * 100)}%`;
  }

  setStreaming(streamId: string): void {
    this.root.dataset['streamCreated'] = 'true';
    this.root.dataset['streamid'] = streamId;
  }

  /** Shows a sentence inside the element, for a failure that the user should see. */
  showMessage(text: string, ...classes: readonly string[]): void {
    this.hideMessage();
    const message = make('div', 'OT_message');
    message.setAttribute('role', 'alert');
    message.textContent = text;
    this.root.classList.add(...classes);
    this.root.append(message);
  }

  hideMessage(): void {
    this.root.querySelector('.OT_message')?.remove();
  }

  getStyle(): WidgetStyle {
    return { ...this.style };
  }

  setStyle(style: Partial<WidgetStyle>): void {
    Object.assign(this.style, style);
    this.applyStyle();
  }

  /** The current picture as base-64 PNG without a prefix; null when there is none. */
  snapshot(): string | null {
    const { videoWidth, videoHeight } = this.video;
    if (videoWidth === 0 || videoHeight === 0) return null;
    const canvas = make('canvas');
    canvas.width = videoWidth;
    canvas.height = videoHeight;
    const pen = canvas.getContext('2d');
    if (pen === null) return null;
    pen.drawImage(this.video, 0, 0);
    return canvas.toDataURL('image/png').split(',')[1] ?? null;
  }

  /** Takes the widget out of the page, the application's own target included. */
  remove(): void {
    this.video.srcObject = null;
    this.root.remove();
    if (this.options.target instanceof LateTarget) this.options.target.cancel();
    if (!this.options.insertDefaultUI) this.video.remove();
  }

  private build(kind: 'publisher' | 'subscriber'): void {
    const { root, video, options } = this;
    root.classList.add('OT_root', `OT_${kind}`, 'OT_loading');
    root.classList.toggle('OT_mirrored', options.mirror);
    this.setFitMode(options.fitMode);
    root.style.width = cssSize(options.width);
    root.style.height = cssSize(options.height);
    video.autoplay = true;
    video.setAttribute('playsinline', '');
    video.muted = true;
    if (options.mirror) video.classList.add('OT_mirrored');
    this.setPictureVisible(false);

    const initials = make('span', 'OT_initials');
    initials.textContent = options.initials || initialsOf(options.name);
    this.poster.append(initials);
    this.nameBar.textContent = options.name;
    this.mute.type = 'button';
    this.mute.addEventListener('click', () => {
      this.onMutePressed();
    });
    this.setMuted(false);
    this.blocked.type = 'button';
    this.blocked.title = 'Turn the sound on';
    this.blocked.setAttribute('aria-label', 'Turn the sound on');
    this.blocked.addEventListener('click', () => {
      this.onUnblockPressed();
    });
    this.disabled.setAttribute('role', 'status');
    this.setVideoDisabled('no');
    this.setAudioBlocked(false);
    this.meter.append(this.meterValue);
    this.meter.setAttribute('aria-hidden', 'true');
    this.archiving.setAttribute('role', 'status');
    this.archiving.append(this.archivingStatus);
    video.setAttribute(
      'aria-label',
      options.name === '' ? (kind === 'publisher' ? 'Own video' : 'Video') : options.name,
    );
    const container = make('div', 'OT_widget-container', 'OT_video-container');
    container.append(this.poster, make('div', 'OT_video-loading'));
    root.append(container);
    // Outside the page the video belongs to the application, which puts it where it likes.
    if (options.insertDefaultUI) container.prepend(video);
    if (!options.showControls) return;
    root.append(this.bar, this.nameBar, this.meter, this.disabled);
    root.append(...(kind === 'publisher' ? [this.archiving] : [this.blocked]), this.mute);
  }

  private applyStyle(): void {
    const { style } = this;
    setMode(this.nameBar, this.options.name === '' ? 'off' : style.nameDisplayMode);
    setMode(this.bar, this.options.name === '' ? 'off' : style.nameDisplayMode);
    setMode(this.mute, style.buttonDisplayMode);
    setMode(this.meter, style.audioLevelDisplayMode);
    setMode(this.disabled, style.videoDisabledDisplayMode);
    setMode(this.blocked, style.audioBlockedDisplayMode);
    const archived = this.archiving.classList.contains('OT_archiving-on');
    setMode(this.archiving, archived && style.archiveStatusDisplayMode !== 'off' ? 'on' : 'off');
    const image = backgroundImage(style.backgroundImageURI);
    this.poster.style.backgroundImage = image;
    this.poster.classList.toggle('OT_with-image', image !== '');
  }
}

function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  ...classes: readonly string[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  element.classList.add(...classes);
  return element;
}

function setMode(element: HTMLElement, mode: DisplayMode): void {
  for (const name of [...element.classList]) if (name.startsWith('OT_mode-')) element.classList.remove(name);
  element.classList.add(`OT_mode-${mode}`);
}

/** A CSS size: numbers, and texts that are numbers, are pixels. */
export function cssSize(size: number | string): string {
  return typeof size === 'number' || /^\d+(\.\d+)?$/.test(size) ? `${size}px` : size;
}

/** Up to two capitals that stand for a name. */
export function initialsOf(name: string): string {
  const words = name
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '');
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words;
  return chosen
    .map((word) => [...(word ?? '')][0] ?? '')
    .join('')
    .toUpperCase();
}

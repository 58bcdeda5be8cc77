/** A panel in which the user chooses camera, microphone and gain of a component, or of everything on the page. */
import { Emitter, queueEvent, type Page } from '../../api/index.ts';
import { meterOf, type LevelMeter } from '../../rtc/index.ts';
import type { Device } from './device-events.ts';
import { ButtonEvent, Camera, DeviceEvent, Microphone } from './device-events.ts';
import { detect, type TracksInUse } from './device-list.ts';
import { injectDeviceStyle } from './settings-button.ts';

/** What has devices: a Publisher or a Recorder. */
export interface DeviceUser {
  readonly id: string | undefined;
  getMicrophoneGain(): number;
  setMicrophoneGain(gain?: unknown): unknown;
  _use(kind: 'camera' | 'microphone', wished: unknown): Promise<Device | null>;
  _tracksInUse(): TracksInUse;
}

export interface PanelProperties {
  readonly showCloseButton: boolean;
  readonly showMicSettings: boolean;
  readonly showCamSettings: boolean;
  readonly zIndex: number | undefined;
}

const LEVEL_INTERVAL_MS = 100;
const NO_TRACKS: TracksInUse = { camera: null, microphone: null };

export class DevicePanel extends Emitter {
  readonly id: string;
  /** What it is for; null for everything that publishes on this page. */
  readonly component: DeviceUser | null;
  readonly publisher: DeviceUser | null;
  readonly _root = document.createElement('div');
  readonly #users: () => readonly DeviceUser[];
  readonly #selects: Partial<Record<'camera' | 'microphone', HTMLSelectElement>> = {};
  readonly #note = document.createElement('p');
  readonly #level = document.createElement('div');
  readonly #returnFocusTo = document.activeElement;
  #devices: Readonly<Record<'camera' | 'microphone', readonly Device[]>> = { camera: [], microphone: [] };
  #meter: { readonly reader: LevelMeter; readonly track: MediaStreamTrack } | null = null;
  #timer: ReturnType<typeof setInterval> | null = null;

  /** `place` is the element that it fills; null for a box that floats over the page. */
  constructor(
    page: Page,
    id: string,
    component: DeviceUser | null,
    users: () => readonly DeviceUser[],
    place: HTMLElement | null,
    properties: PanelProperties,
  ) {
    super(page.era);
    this.id = id;
    this.component = component;
    this.publisher = component;
    this.#users = users;
    injectDeviceStyle();
    this.#build(properties);
    if (place === null) this.#float(properties.zIndex);
    else place.replaceChildren(this._root);
    this.#listen();
    this.#refresh();
  }

  /** Takes it out of the page. The library's own; applications call DeviceManager.removePanel. */
  _remove(): void {
    mediaDevices()?.removeEventListener('devicechange', this.#refresh);
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#meter?.reader.close();
    for (const user of this.#users()) if (user instanceof Emitter) user.off('accessAllowed', this.#refresh);
    const hadFocus = this._root.contains(document.activeElement);
    this._root.remove();
    if (hadFocus && this.#returnFocusTo instanceof HTMLElement) this.#returnFocusTo.focus();
  }

  get #tracks(): TracksInUse {
    return this.#users()[0]?._tracksInUse() ?? NO_TRACKS;
  }

  #build({ showCloseButton, showMicSettings, showCamSettings }: PanelProperties): void {
    const { _root: root } = this;
    root.id = this.id;
    root.className = 'OT_device-panel';
    root.classList.toggle('OT_closable', showCloseButton);
    root.setAttribute('role', 'dialog');
    root.setAttribute('aria-label', 'Camera and microphone');
    const header = document.createElement('header');
    const title = document.createElement('h2');
    title.textContent = 'Camera and microphone';
    header.append(title);
    if (showCloseButton) header.append(this.#closeButton());
    root.append(header);
    if (showCamSettings) root.append(this.#chooser('camera', 'Camera'));
    if (showMicSettings) {
      root.append(this.#chooser('microphone', 'Microphone'), this.#level);
      this.#level.className = 'OT_level';
      this.#level.setAttribute('aria-hidden', 'true');
      const [user] = this.#users();
      if (user !== undefined) root.append(this.#gain(user));
    }
    this.#note.setAttribute('role', 'status');
    root.append(this.#note);
  }

  #closeButton(): HTMLElement {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'OT_close';
    button.textContent = '×';
    button.setAttribute('aria-label', 'Close');
    const close = (): void => {
      queueEvent(this, new ButtonEvent('closeButtonClick'), () => {
        this.onClose();
      });
    };
    button.addEventListener('click', close);
    this._root.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') close();
    });
    return button;
  }

  /** The default behaviour of the close button; set by the manager. */
  onClose: () => void = () => undefined;

  #chooser(kind: 'camera' | 'microphone', word: string): HTMLElement {
    const select = document.createElement('select');
    this.#selects[kind] = select;
    select.addEventListener('change', () => void this.#choose(kind, select.value));
    return labelled(word, select);
  }

  #gain(user: DeviceUser): HTMLElement {
    const slider = document.createElement('input');
    slider.type = 'range';
    slider.min = '0';
    slider.max = '100';
    slider.value = String(user.getMicrophoneGain());
    slider.addEventListener('change', () => {
      for (const each of this.#users()) each.setMicrophoneGain(Number(slider.value));
    });
    return labelled('Microphone volume', slider);
  }

  #float(zIndex: number | undefined): void {
    this._root.classList.add('OT_floating');
    this._root.style.zIndex = String(zIndex ?? highest() + 1);
    document.body.append(this._root);
    this._root.querySelector<HTMLElement>('select, button')?.focus();
  }

  #listen(): void {
    mediaDevices()?.addEventListener('devicechange', this.#refresh);
    this.#timer = setInterval(() => {
      this.#showLevel();
    }, LEVEL_INTERVAL_MS);
    for (const user of this.#users()) {
      // The names of devices are known from then on.
      if (user instanceof Emitter) user.on('accessAllowed', this.#refresh);
    }
  }

  readonly #refresh = (): void => {
    void detect(this.#tracks).then(({ cameras, microphones, selectedCamera, selectedMicrophone }) => {
      this.#devices = { camera: cameras, microphone: microphones };
      fill(this.#selects.camera, cameras, selectedCamera, 'No camera was found');
      fill(this.#selects.microphone, microphones, selectedMicrophone, 'No microphone was found');
    });
  };

  /** The devices are switched before `devicesSelected` tells so. */
  async #choose(kind: 'camera' | 'microphone', name: string): Promise<void> {
    const chosen = this.#devices[kind].find((device) => device.name === name);
    if (chosen === undefined) return;
    const used = await Promise.all(this.#users().map((user) => user._use(kind, chosen)));
    const failed = used.includes(null);
    this.#note.textContent = failed ? `${name} cannot be used.` : '';
    if (failed) this.#refresh();
    else if (chosen instanceof Camera) queueEvent(this, new DeviceEvent('devicesSelected', chosen, null));
    else if (chosen instanceof Microphone) queueEvent(this, new DeviceEvent('devicesSelected', null, chosen));
  }

  #showLevel(): void {
    const track = this.#selects.microphone === undefined ? null : this.#tracks.microphone;
    if (this.#meter?.track !== track) {
      this.#meter?.reader.close();
      this.#meter = track === null ? null : { reader: meterOf(track), track };
    }
    const level = Math.sqrt(this.#meter?.reader.read() ?? 0);
    this.#level.style.setProperty('--OT-level', `${Math.round(level * 100)}%`);
  }
}

/** Absent on pages without HTTPS. */
function mediaDevices(): MediaDevices | undefined {
  return (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
}

function labelled(word: string, control: HTMLElement): HTMLElement {
  const label = document.createElement('label');
  label.append(word, control);
  return label;
}

function fill(
  select: HTMLSelectElement | undefined,
  devices: readonly Device[],
  chosen: Device | null,
  none: string,
): void {
  if (select === undefined) return;
  select.replaceChildren(...devices.map(({ name }) => new Option(name, name, false, name === chosen?.name)));
  if (devices.length === 0) select.append(new Option(none, ''));
  else if (chosen === null) select.prepend(new Option('Choose …', '', true, true));
  select.disabled = devices.length === 0;
}

/** The highest z-index of the page's own elements. */
function highest(): number {
  let most = 0;
  for (const element of document.body.querySelectorAll('*')) {
    const value = Number.parseInt(getComputedStyle(element).zIndex, 10);
    if (value > most) most = value;
  }
  return Math.min(most, 2_147_483_646);
}

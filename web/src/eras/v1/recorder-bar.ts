/** The buttons of a Recorder. */
import { injectDeviceStyle } from './settings-button.ts';

export interface RecorderState {
  readonly recording: boolean;
  readonly playing: boolean;
  /** Whether there is something to play. */
  readonly recorded: boolean;
}

export interface RecorderActions {
  record(): void;
  play(): void;
  save(): void;
}

export class RecorderBar {
  readonly #root = document.createElement('div');
  readonly #record: HTMLButtonElement;
  readonly #play: HTMLButtonElement;
  readonly #save: HTMLButtonElement;

  constructor(view: HTMLElement, { record, play, save }: RecorderActions) {
    injectDeviceStyle();
    this.#record = button('Record', record);
    this.#play = button('Play', play);
    this.#save = button('Save', save);
    this.#root.className = 'OT_recorder-bar';
    this.#root.setAttribute('role', 'toolbar');
    this.#root.setAttribute('aria-label', 'Recording');
    this.#root.append(this.#record, this.#play, this.#save);
    view.append(this.#root);
    this.show({ recording: false, playing: false, recorded: false });
  }

  show({ recording, playing, recorded }: RecorderState): void {
    this.#record.textContent = recording ? 'Stop' : 'Record';
    this.#record.disabled = playing;
    this.#play.textContent = playing ? 'Stop' : 'Play';
    this.#play.disabled = recording || !recorded;
    this.#save.disabled = recording || !recorded;
  }

  /** By the keys of the era's styles. */
  style({ showControlBar, showSaveButton }: Readonly<Record<string, boolean>>): void {
    this.#root.hidden = showControlBar === false;
    this.#save.hidden = showSaveButton === false;
  }
}

function button(word: string, pressed: () => void): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = word;
  made.addEventListener('click', pressed);
  return made;
}

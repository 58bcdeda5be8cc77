/** The button in a view that opens its device panel. */
import css from './devices.css?inline';

const STYLE_ID = 'tertulia-devices-style';
const MODES = ['auto', 'on', 'off', 'mini', 'mini-auto'];

/** Puts the style of the button and of device panels into the page, once and first, so that the page's own rules win. */
export function injectDeviceStyle(): void {
  if (document.getElementById(STYLE_ID) !== null) return;
  const style = document.createElement('style');
  style.id = STYLE_ID;
  style.textContent = css;
  document.head.prepend(style);
}

export const settingsButton = {
  make(pressed: () => void): HTMLElement {
    injectDeviceStyle();
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'OT_settings OT_edge-bar-item OT_mode-auto';
    button.title = 'Settings';
    button.setAttribute('aria-label', 'Camera and microphone settings');
    button.addEventListener('click', pressed);
    return button;
  },

  /** As the other buttons of the view, by its `buttonDisplayMode`. */
  show(button: HTMLElement, mode: string): void {
    for (const known of MODES) button.classList.toggle(`OT_mode-${known}`, known === mode);
  },
};

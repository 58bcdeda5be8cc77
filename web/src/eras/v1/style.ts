/** The style keys that only the first era has: Booleans that say which buttons are there. */
import { logger } from '../../logger.ts';
import type { Properties } from '../../options.ts';

/** Key -> the button in the view; null for buttons that views of today do not have. */
const BUTTONS = {
  showMicButton: '.OT_mute',
  showSettingsButton: '.OT_settings',
  showCameraToggleButton: '.OT_camera-toggle',
} as const;

type Key = keyof typeof BUTTONS;

export class ButtonStyle {
  readonly #shown: Record<Key, boolean> = {
    showMicButton: true,
    showSettingsButton: true,
    showCameraToggleButton: true,
  };

  /** Takes its own keys, and gives back the others. The texts "true" and "false" count as what they say. */
  take(wished: Properties): Properties {
    const others: Record<string, unknown> = {};
    for (const [key, given] of Object.entries(wished)) {
      const value = given === 'true' ? true : given === 'false' ? false : given;
      if (!isKey(key)) others[key] = given;
      else if (typeof value === 'boolean') this.#shown[key] = value;
      else logger.warn(`The style ${key} is a Boolean; it is ignored.`);
    }
    return others;
  }

  values(): Readonly<Record<Key, boolean>> {
    return { ...this.#shown };
  }

  /** Shows and hides the buttons of that view. */
  apply(root: HTMLElement | undefined): void {
    for (const [key, selector] of Object.entries(BUTTONS)) {
      const button = root?.querySelector<HTMLElement>(selector);
      if (button) button.style.display = this.#shown[key as Key] ? '' : 'none';
    }
  }
}

function isKey(key: string): key is Key {
  return key in BUTTONS;
}

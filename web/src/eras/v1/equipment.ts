/** What this computer has to publish with. */
import { supportedCodecs } from '../../rtc/index.ts';

/** Until the browser has told: whatever can be asked for may be there. */
let present = true;

/** Keeps up with the devices of the page's computer. */
export function watchEquipment(): void {
  const { mediaDevices } = navigator as { mediaDevices?: MediaDevices };
  if (typeof mediaDevices?.enumerateDevices !== 'function') {
    present = false;
    return;
  }
  const look = (): void => {
    void mediaDevices.enumerateDevices().then(
      (devices) => {
        present = devices.some(({ kind }) => kind === 'videoinput' || kind === 'audioinput');
      },
      () => undefined,
    );
  };
  look();
  if ('addEventListener' in mediaDevices) mediaDevices.addEventListener('devicechange', look);
}

/** Whether there is a camera or a microphone. */
export function hasDevices(): boolean {
  return present;
}

export function encodesH264(): boolean {
  try {
    return supportedCodecs().videoEncoders.includes('H264');
  } catch {
    return false; // a browser that does not tell
  }
}

/** Whether what a Subscriber receives is of this client's encryption secret, over all the slots that it is bound to. */
import type { SlotMedia } from '../engine/index.ts';

export class SecretWatch {
  /** Whether frames can be decrypted, as far as is known. */
  matches = true;
  private end: (() => void) | null = null;

  /** `tell` hears of every change; that the first frames can be decrypted is none. */
  constructor(private readonly tell: (matches: boolean) => void) {}

  attach(media: SlotMedia): void {
    this.detach();
    this.end =
      media.watchSecret?.((matches) => {
        if (matches === this.matches) return;
        this.matches = matches;
        this.tell(matches);
      }) ?? null;
  }

  detach(): void {
    this.end?.();
    this.end = null;
  }
}

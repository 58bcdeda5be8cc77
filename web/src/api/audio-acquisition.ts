/** Tells when a microphone gives nothing although the page may use it: another program holds it, or the system mutes it. */
import { queueEvent, type Emitter } from './emitter.ts';
import { Event } from './events.ts';

/** Microphones are mute for a moment when they begin. Our own choice. */
const PATIENCE_MS = 2_000;

export class AudioAcquisition {
  private end: (() => void) | null = null;

  constructor(private readonly emitter: Emitter) {}

  /** Looks at this microphone from now on, and at none for null; each is told of once. */
  watch(track: MediaStreamTrack | null): void {
    this.end?.();
    this.end = null;
    if (track === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = (): void => {
      clearTimeout(timer);
      if (!track.muted || track.readyState === 'ended') return;
      timer = setTimeout(() => {
        this.watch(null);
        queueEvent(this.emitter, new Event('audioAcquisitionProblem'));
      }, PATIENCE_MS);
    };
    for (const type of ['mute', 'unmute', 'ended']) track.addEventListener(type, look);
    this.end = () => {
      clearTimeout(timer);
      for (const type of ['mute', 'unmute', 'ended']) track.removeEventListener(type, look);
    };
    look();
  }
}

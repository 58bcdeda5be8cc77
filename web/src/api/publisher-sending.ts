/** What of a publisher's sources is sent: muting, and letting a camera go while no picture is sent. */
import { asOTError, type OTError } from '../errors.ts';
import type { Kind, Sources } from '../rtc/index.ts';
import type { StreamUpdate } from '../wire/index.ts';
import { settle, type Done } from './promises.ts';

/** How long a camera stays open while no picture is sent: long enough for a change of mind. */
const RELEASE_AFTER_MS = 5_000;

/** The Publisher, as far as its muting must know it. */
export interface SendingOwner {
  readonly sources: Sources;
  /** Tells the server what of the stream has changed. */
  tell(update: StreamUpdate): void;
  /** The element and the level must follow. */
  changed(): void;
  /** The camera does not come back. */
  failed(error: OTError): void;
}

export class PublisherSending {
  private opened = false;
  private stopped = false;
  private releasing: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly owner: SendingOwner,
    private readonly wanted: Record<Kind, boolean>,
  ) {}

  /** Whether the application wants that kind to be sent, be there such a source or not. */
  wants(kind: Kind): boolean {
    return this.wanted[kind];
  }

  /** Whether there is such a source, and it is sent. */
  sends(kind: Kind): boolean {
    return this.wanted[kind] && this.owner.sources.track(kind) !== null;
  }

  setAudio(sends: boolean): void {
    this.wanted.audio = sends;
    this.apply();
    this.owner.tell({ hasAudio: this.sends('audio') });
  }

  /** `done` hears when the camera runs again, or why it does not. */
  setVideo(sends: boolean, done?: Done): void {
    const { sources } = this.owner;
    this.wanted.video = sends;
    this.apply();
    const tell = (): void => {
      this.owner.tell({ hasVideo: this.sends('video') });
    };
    if (!sends || !sources.isReleased) {
      tell();
      void settle(Promise.resolve(), done);
      return;
    }
    const told = sources.reopen().then(tell, (thrown: unknown) => {
      const error = asOTError(thrown, 'OT_UNABLE_TO_CAPTURE_MEDIA');
      this.wanted.video = false;
      this.apply();
      this.owner.failed(error);
      throw error;
    });
    void settle(told, done);
  }

  /** There are sources now. */
  open(): void {
    this.opened = true;
    this.apply();
  }

  /** What is muted sends silence and black, and is back at once; a camera is let go after a while. */
  apply(): void {
    const { sources } = this.owner;
    for (const kind of ['audio', 'video'] as const)
      for (const track of [sources.raw(kind), sources.track(kind)])
        if (track !== null) track.enabled = this.wanted[kind];
    if (this.opened) this.scheduleRelease();
    this.owner.changed();
  }

  stop(): void {
    this.stopped = true;
    if (this.releasing !== null) clearTimeout(this.releasing);
  }

  private scheduleRelease(): void {
    if (this.wanted.video && this.releasing !== null) {
      clearTimeout(this.releasing);
      this.releasing = null;
    }
    if (this.wanted.video || this.releasing !== null || this.stopped || isPhone()) return;
    if (!this.owner.sources.isDevice('video')) return;
    this.releasing = setTimeout(() => {
      this.releasing = null;
      if (!this.wanted.video) this.owner.sources.release();
    }, RELEASE_AFTER_MS);
  }
}

/** Phones switch cameras slowly and show no light: theirs stay open. */
function isPhone(): boolean {
  return /Mobi|Android/i.test(String((navigator as { userAgent?: string }).userAgent));
}

/** A publisher's own fallback to sound: watches what it sends, and leaves the video out while the network is too narrow. */
import { judgeSending, SENDING, type FallbackChange } from '../core/index.ts';
import type { Widget } from '../dom/index.ts';
import { logger } from '../logger.ts';
import type { PublisherStats, SentLines } from '../rtc/index.ts';
import { queueEvent, type Emitter } from './emitter.ts';
import { Event, VideoEnabledChangedEvent } from './events.ts';

/** How often what is sent is looked at; receivers report about once a second. */
const INTERVAL_MS = 2_000;

/** What Opus takes where the application did not say, and what packets put around it. */
const USUAL_SOUND_BPS = 40_000;
const AROUND_SOUND_BPS = 22_000;

/** The Publisher, as far as its fallback must know it. */
export interface FallbackOwner {
  /** Dispatches the events. */
  readonly emitter: Emitter;
  /** What the application asked for. */
  readonly audioBitrateBps: number | undefined;
  widget(): Widget | null;
  /** Whether there is video that the application wants to be sent. */
  sendsVideo(): boolean;
  read(): Promise<PublisherStats>;
  lines(): SentLines | null;
  /** Tells the others that the video stops, or is back, for its quality. */
  tell(hasVideo: boolean): void;
}

export class PublisherFallback {
  private state = SENDING;
  private timer: ReturnType<typeof setInterval> | null = null;
  /** The lines whose video was switched off; a new transport begins with others. */
  private silenced: SentLines | null = null;

  constructor(
    private readonly owner: FallbackOwner,
    private readonly isWanted: boolean,
  ) {}

  /** Whether the others are told that there is no video, although the application wants it to be sent. */
  get isActive(): boolean {
    return this.state.phase === 'stopped' || this.state.phase === 'trying';
  }

  /** The stream is published. */
  begin(): void {
    if (!this.isWanted || this.timer !== null) return;
    this.timer = setInterval(() => {
      this.look().catch(() => undefined); // nothing is sent at the moment
    }, INTERVAL_MS);
  }

  /** The stream has ended; a later one begins anew, with video. */
  end(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    this.state = SENDING;
    this.silenced = null;
    this.owner.widget()?.setVideoDisabled('no');
  }

  private async look(): Promise<void> {
    if (!this.owner.sendsVideo()) {
      this.state = { ...this.state, before: null };
      return;
    }
    const { audio, video, mediaLink } = await this.owner.read();
    if (this.timer === null) return;
    const { state, change } = judgeSending(this.state, {
      at: performance.now(),
      availableBps: mediaLink.transport.connectionEstimatedBandwidth || null,
      soundBps: audio === undefined ? 0 : (this.owner.audioBitrateBps ?? USUAL_SOUND_BPS) + AROUND_SOUND_BPS,
      lost: (audio?.packetsLost ?? 0) + (video?.packetsLost ?? 0),
      sent: (audio?.packetsSent ?? 0) + (video?.packetsSent ?? 0),
    });
    this.state = state;
    if (change !== null) this.apply(change);
    const lines = this.owner.lines();
    if (state.phase === 'stopped' && this.silenced !== lines) this.switchVideo(lines, false);
  }

  private apply(change: FallbackChange): void {
    const { emitter } = this.owner;
    const widget = this.owner.widget();
    switch (change) {
      case 'warning':
        widget?.setVideoDisabled('warning');
        queueEvent(emitter, new Event('videoDisableWarning'));
        return;
      case 'lifted':
        widget?.setVideoDisabled('no');
        queueEvent(emitter, new Event('videoDisableWarningLifted'));
        return;
      case 'disabled':
        widget?.setVideoDisabled('disabled');
        this.owner.tell(false);
        queueEvent(emitter, new VideoEnabledChangedEvent('videoDisabled', 'quality'));
        return;
      case 'try':
        this.switchVideo(this.owner.lines(), true);
        return;
      case 'enabled':
        widget?.setVideoDisabled('no');
        this.owner.tell(true);
        queueEvent(emitter, new VideoEnabledChangedEvent('videoEnabled', 'quality'));
        return;
      case 'stop':
        return;
    }
  }

  private switchVideo(lines: SentLines | null, on: boolean): void {
    this.silenced = on ? null : lines;
    lines?.switchVideo(on).catch((error: unknown) => {
      logger.warn('The video could not be switched for its quality.', error);
    });
  }
}

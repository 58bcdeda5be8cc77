/** Tells those who subscribe to a publisher's stream what its network bears, while it is published. */
import type { SenderEstimates } from '../wire/index.ts';

/** The server passes one in a second on; the browser's own estimate changes about as often as receivers report. */
const INTERVAL_MS = 2_000;

/** The Publisher, as far as this must know it. */
export interface SenderStatsOwner {
  /** Rejects while nothing is sent. */
  read(): Promise<SenderEstimates>;
  tell(estimates: SenderEstimates): void;
}

export class PublisherSenderStats {
  private timer: ReturnType<typeof setInterval> | null = null;

  constructor(
    private readonly owner: SenderStatsOwner,
    private readonly isWanted: boolean,
  ) {}

  /** The stream is published. */
  begin(): void {
    if (!this.isWanted || this.timer !== null) return;
    const timer = setInterval(() => {
      this.owner.read().then(
        (estimates) => {
          if (this.timer === timer) this.owner.tell(estimates);
        },
        () => undefined, // nothing is sent at the moment
      );
    }, INTERVAL_MS);
    this.timer = timer;
  }

  /** The stream has ended. */
  end(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }
}

/** Watches the path of one peer: takes samples, doubts the signalling when media stops, and asks for ICE restarts. */
import { judgePath, NEW_PATH, SAMPLE_MS, type PathSample } from '../core/index.ts';

export interface PathWorld {
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  after(milliseconds: number, run: () => void): unknown;
  /** Null while no pair of addresses is in use. */
  sample(): Promise<PathSample | null>;
  /** Whether media is sent, so that the server owes reports. */
  sends(): boolean;
  /** Whether the signalling is alive; it is told lost if it is not. */
  probe(): Promise<boolean>;
  restartIce(): void;
}

/** Pauses between ICE restarts that did not help: twice as long each time, and at most the second figure. */
const FIRST_PAUSE_MS = 3_000;
const LONGEST_PAUSE_MS = 15_000;

export class PathWatch {
  private state = NEW_PATH;
  private isStopped = false;
  private isAsking = false;
  private hasDoubted = false;
  private restarts = 0;
  private nextRestartAt = 0;

  constructor(private readonly world: PathWorld) {
    this.wait();
  }

  /** Nothing is done any more. */
  stop(): void {
    this.isStopped = true;
  }

  /** The browser says that nothing passes. */
  interrupted(): void {
    this.state = { ...this.state, health: 'dead' };
    void this.revive();
  }

  /** The signalling is back: what seemed dead before is restarted without asking again. */
  resumed(): void {
    if (this.state.health !== 'alive') this.restart();
  }

  private wait(): void {
    this.world.after(SAMPLE_MS, () => {
      if (this.isStopped) return;
      this.wait();
      this.world.sample().then(
        (sample) => {
          this.judge(sample);
        },
        () => undefined, // a peer that is being closed has no statistics
      );
    });
  }

  private judge(sample: PathSample | null): void {
    if (this.isStopped || sample === null) return;
    this.state = judgePath(this.state, sample, this.world.sends(), this.world.now());
    switch (this.state.health) {
      case 'alive':
        this.hasDoubted = false;
        this.restarts = 0;
        return;
      case 'quiet':
        if (this.hasDoubted) return;
        this.hasDoubted = true;
        void this.world.probe();
        return;
      case 'dead':
        void this.revive();
    }
  }

  /** With the signalling alive it is the media path alone that is dead: another one is looked for. */
  private async revive(): Promise<void> {
    if (this.isAsking || this.world.now() < this.nextRestartAt) return;
    this.isAsking = true;
    const isAlive = await this.world.probe();
    this.isAsking = false;
    if (isAlive && !this.isStopped && this.state.health === 'dead') this.restart();
  }

  private restart(): void {
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.restarts);
    this.restarts += 1;
    this.nextRestartAt = this.world.now() + pause;
    this.world.restartIce();
  }
}

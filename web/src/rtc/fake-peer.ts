/** A Peer without a browser: offers are lists of lines, answers are whatever the test gives, states are set by hand. */
import type { PathSample } from '../core/index.ts';
import type { Peer, PeerFactory, PeerState, Receiver, SendTracks, SentLines, SlotMids, SlotReceivers } from './peer.ts';

export class FakePeer implements Peer {
  state: PeerState = 'connecting';
  /** What the statistics say. */
  path: PathSample | null = null;
  /** What was done, in order. */
  readonly log: string[] = [];
  /** Lines in the order of their mids. */
  readonly lines: { direction: 'recvonly' | 'sendonly' | 'inactive'; kind: 'audio' | 'video' }[] = [];
  closed = false;
  standstills: readonly number[] = [];
  private readonly pairs: {
    slot: number;
    audioLine: number;
    videoLine: number;
    announced: boolean;
    receivers: SlotReceivers;
  }[] = [];
  private outstanding = false;

  constructor(
    readonly configuration: RTCConfiguration,
    private readonly onState: (state: PeerState) => void,
  ) {}

  /** Changes the state as the network would. */
  become(state: PeerState): void {
    this.state = state;
    if (!this.closed) this.onState(state);
  }

  get slotCount(): number {
    return this.pairs.length;
  }

  addSlotPairs(count: number): void {
    for (let added = 0; added < count; added += 1) {
      const audioLine = this.lines.push({ direction: 'recvonly', kind: 'audio' }) - 1;
      const videoLine = this.lines.push({ direction: 'recvonly', kind: 'video' }) - 1;
      const slot = this.pairs.length;
      this.pairs.push({
        slot,
        audioLine,
        videoLine,
        announced: false,
        receivers: { audio: fakeReceiver('audio'), video: fakeReceiver('video') },
      });
    }
  }

  receivers(slot: number): SlotReceivers | null {
    return this.pairs[slot]?.receivers ?? null;
  }

  send(tracks: SendTracks): SentLines {
    const mids = { audio: this.sendLine('audio', tracks.audio), video: this.sendLine('video', tracks.video) };
    return {
      audioMid: mids.audio,
      videoMid: mids.video,
      replace: (kind, track) => {
        this.log.push(`replace ${kind} ${track === null ? 'nothing' : 'track'}`);
        return Promise.resolve();
      },
      stats: (kind) => Promise.resolve(mids[kind] === undefined ? null : (new Map() as unknown as RTCStatsReport)),
      tune: (kind, change) => {
        const encoding = {};
        change(encoding);
        this.log.push(`tune ${kind} ${JSON.stringify(encoding)}`);
        return Promise.resolve();
      },
      limitVideo: (bps) => {
        this.log.push(`limit ${String(bps)}`);
        return Promise.resolve();
      },
      fitVideo: ({ width, height }) => {
        this.log.push(`fit ${width}x${height}`);
        return Promise.resolve();
      },
      switchVideo: (on) => {
        this.log.push(`video ${on ? 'on' : 'off'}`);
        return Promise.resolve();
      },
      layer: (mode) => {
        this.log.push(`layer ${mode}`);
        return Promise.resolve();
      },
      pauseLayers: (rids) => {
        this.log.push(`pause [${rids.join()}]`);
        return Promise.resolve();
      },
      stop: () => {
        for (const mid of [mids.audio, mids.video]) {
          const line = this.lines[Number(mid)];
          if (line !== undefined) line.direction = 'inactive';
        }
      },
    };
  }

  offer(): Promise<string> {
    if (this.outstanding) throw new Error('two offers at once');
    this.outstanding = true;
    this.log.push('offer');
    return Promise.resolve(this.lines.map(({ direction, kind }) => `${kind} ${direction}`).join(', '));
  }

  newSlots(): readonly SlotMids[] {
    return this.pairs
      .filter(({ announced }) => !announced)
      .map(({ slot, audioLine, videoLine }) => ({ slot, audioMid: String(audioLine), videoMid: String(videoLine) }));
  }

  accept(answer: string): Promise<void> {
    this.outstanding = false;
    this.log.push(`accept ${answer}`);
    for (const pair of this.pairs) pair.announced = true;
    return Promise.resolve();
  }

  withdraw(): Promise<void> {
    this.outstanding = false;
    this.log.push('withdraw');
    return Promise.resolve();
  }

  sample(): Promise<PathSample | null> {
    return Promise.resolve(this.path);
  }

  restartIce(): void {
    this.log.push('restartIce');
  }

  close(): void {
    this.closed = true;
  }

  private sendLine(kind: 'audio' | 'video', track: MediaStreamTrack | null): string | undefined {
    if (track === null) return undefined;
    const idle = this.lines.findIndex((line) => line.kind === kind && line.direction === 'inactive');
    if (idle < 0) return String(this.lines.push({ direction: 'sendonly', kind }) - 1);
    this.lines[idle] = { direction: 'sendonly', kind };
    return String(idle);
  }
}

/** A factory that keeps every peer it has made. */
export function fakePeers(): { readonly make: PeerFactory; readonly made: FakePeer[] } {
  const made: FakePeer[] = [];
  return {
    made,
    make: (configuration, onState) => {
      const peer = new FakePeer(configuration, onState);
      made.push(peer);
      return peer;
    },
  };
}

function fakeReceiver(kind: 'audio' | 'video'): Receiver {
  return {
    track: { kind } as MediaStreamTrack,
    getSynchronizationSources: () => [],
    getStats: () => Promise.resolve(new Map() as unknown as RTCStatsReport),
  };
}

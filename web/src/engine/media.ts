/**
 * The client's media: one peer at a time, numbered by epoch, one offer at a time.
 *
 * Invariants: an offer is outstanding only inside a turn; slot pairs grow and never shrink within an epoch; a publication
 * that was accepted is offered again in every later epoch until it is taken out.
 */
import type { PathSample } from '../core/index.ts';
import type { FrameEncryption } from '../encryption/index.ts';
import type { Peer, PeerFactory, PeerState, Receiver, SentLines, SlotReceivers, SendTracks } from '../rtc/index.ts';
import type { Binding, RequestOf, RequestType, ResultOf, StreamDescription, WireStream } from '../wire/index.ts';
import { asOTError, OTError } from '../errors.ts';
import { logger } from '../logger.ts';
import { PathWatch } from './path.ts';

/** What is published: the tracks of the moment. */
export interface Publication {
  tracks(): SendTracks;
}

/** What a binding plays. A null timestamp takes the first frame or sample that comes. */
export interface SlotMedia extends SlotReceivers {
  readonly audioFrom: number | null;
  readonly videoFrom: number | null;
}

/** The line that carries the sound of a subscription at present. A null timestamp takes the first sample that comes. */
export interface SlotSound {
  readonly receiver: Receiver;
  readonly from: number | null;
}

export interface MediaWorld {
  readonly makePeer: PeerFactory;
  request<T extends RequestType>(body: RequestOf<T>): Promise<ResultOf<T>>;
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** Runs `run` after so many milliseconds. */
  after(milliseconds: number, run: () => void): unknown;
  /** Whether the signalling is alive; it is told lost if it is not. */
  probe(): Promise<boolean>;
  retryDelayMs(attempt: number): number;
  /** Whether media passes; told only when it changes, and a stop only when it lasts longer than 3 s. */
  onFlow(flows: boolean): void;
  /** A new peer took the place of the one before. */
  onReplaced(): void;
  /** Packets of the video in that slot of that epoch come, and no frame is decoded. */
  onStandstill(epoch: number, slot: number): void;
}

export interface MediaStart {
  readonly configuration: RTCConfiguration;
  /** False for a role that may not subscribe: no slot pairs are made. */
  readonly receives: boolean;
  /** Encrypts what is sent and decrypts what comes; absent or null without end-to-end encryption. */
  readonly encryption?: FrameEncryption | null;
}

/** Sizes of the pool of slot pairs; each is asked for only when the one before does not do. */
const POOL_SIZES = [2, 4, 8, 16, 32, 48, 56];
/**
 * How long media may stop before that is told. Within this time a new transport takes the place of one that ended with a
 * router that was restarted, and an application need not hear of it. Our own choice.
 */
const FLOW_PATIENCE_MS = 3_000;
/** How long a publication may wait for the peer to connect before it fails. */
const CONNECT_DEADLINE_MS = 30_000;

type OfferRequest = 'negotiate' | 'publish' | 'republish';
type OfferFields<T extends OfferRequest> = Omit<RequestOf<T>, 'epoch' | 'offer' | 'slots' | 'type'>;

interface Sent {
  lines: SentLines;
  /** Null until `publish` was answered. */
  streamId: string | null;
}

/** A turn found that its peer is no longer the current one. */
class Superseded extends Error {
  constructor() {
    super('The media connection is gone.');
  }
}

export class Media {
  private start: MediaStart | null = null;
  private peer: Peer | null = null;
  private path: PathWatch | null = null;
  /** Whether the signalling is there; without it nothing is begun, and `resumed` decides. */
  private isHeard = true;
  private epoch = 0;
  private turn: Promise<unknown> = Promise.resolve();
  private established = false;
  private failures = 0;
  private flows = false;
  /** Counts what media did; a stop is told only if nothing came after it. */
  private flowChanges = 0;
  private isStopping = false;
  private readonly sent = new Map<Publication, Sent>();
  private usedSlots = new Set<number>();
  private wantedPairs = 0;
  private waiting: (() => void)[] = [];
  /** Steps of this epoch that wait for the signalling. */
  private postponed: (() => void)[] = [];

  constructor(private readonly world: MediaWorld) {}

  /** Makes the first peer and its slot pairs, in the background. */
  begin(start: MediaStart): void {
    this.start = start;
    this.isHeard = true;
    this.epoch = 0;
    this.failures = 0;
    this.wantedPairs = start.receives ? (POOL_SIZES[0] ?? 0) : 0;
    this.makePeer();
  }

  /** Closes the peer; publications are forgotten, their tracks live on. */
  end(): void {
    this.start = null;
    this.path?.stop();
    this.peer?.close();
    this.peer = null;
    this.sent.clear();
    this.flowChanges += 1;
    this.flows = this.isStopping = false;
    this.wake();
  }

  /** Offers the publication's tracks, calls `registered` with its stream and resolves once media can pass. */
  async publish(
    publication: Publication,
    description: StreamDescription,
    registered: (stream: WireStream) => void,
  ): Promise<WireStream> {
    const stream = await this.announce(publication, description);
    registered(stream);
    await this.connected();
    return stream;
  }

  /** Takes a publication out; its lines are used again by the next. */
  unpublish(publication: Publication): void {
    this.sent.get(publication)?.lines.stop();
    this.sent.delete(publication);
  }

  /** The lines of a publication on the present peer; null before it is offered. */
  lines(publication: Publication): SentLines | null {
    return this.sent.get(publication)?.lines ?? null;
  }

  /** Sends another track on the publication's line of that kind. */
  async replaceTrack(publication: Publication, kind: 'audio' | 'video', track: MediaStreamTrack | null): Promise<void> {
    await this.sent.get(publication)?.lines.replace(kind, track);
  }

  /** The server wants so many slot pairs in all. */
  slotsNeeded(pairs: number): void {
    const size = POOL_SIZES.find((candidate) => candidate >= pairs) ?? POOL_SIZES.at(-1) ?? 0;
    if (size <= this.wantedPairs || !this.start?.receives) return;
    this.wantedPairs = size;
    this.negotiate();
  }

  /** The server's transport of that epoch has ended. */
  mediaFailed(epoch: number): void {
    if (epoch === this.epoch) this.replace();
  }

  /** From now on everything is encrypted, which needs a new peer. */
  encrypt(encryption: FrameEncryption): void {
    if (this.start === null) return;
    this.start = { ...this.start, encryption };
    this.replace();
  }

  /** The signalling is lost. */
  interrupted(): void {
    this.isHeard = false;
  }

  /**
   * The signalling is back, and the server holds the transport of that epoch, or none (0). False when that is not ours, so
   * that a new peer was made and no binding holds any more.
   */
  resumed(epoch: number): boolean {
    this.isHeard = true;
    if (this.peer === null) return false;
    if ((this.established && epoch !== this.epoch) || this.peer.state === 'failed') {
      this.replace();
      return false;
    }
    for (const step of this.postponed.splice(0)) step();
    this.path?.resumed();
    return true;
  }

  /** Whether media passes between the server and this client. */
  get flowing(): boolean {
    return this.flows;
  }

  /** What plays a binding of the current epoch; null when it belongs to an earlier one. */
  media(binding: Binding): SlotMedia | null {
    if (binding.epoch !== this.epoch) return null;
    const receivers = this.peer?.receivers(binding.slot);
    if (receivers == null) return null;
    const fresh = !this.usedSlots.has(binding.slot);
    this.usedSlots.add(binding.slot);
    return {
      ...receivers,
      audioFrom: fresh ? null : (binding.audioRtpTimestamp ?? null),
      videoFrom: fresh ? null : (binding.videoRtpTimestamp ?? null),
    };
  }

  /** The audio line of a slot of that epoch; null when it is over, or there is no such slot. */
  audioOf(epoch: number, slot: number): Receiver | null {
    return epoch === this.epoch ? (this.peer?.receivers(slot)?.audio ?? null) : null;
  }

  private makePeer(): void {
    const { start } = this;
    if (start === null) return;
    this.epoch += 1;
    this.established = false;
    this.usedSlots = new Set();
    const epoch = this.epoch;
    this.turn = Promise.resolve();
    try {
      const told = (state: PeerState): void => {
        if (epoch === this.epoch && this.start === start) this.changed(state);
      };
      this.peer = this.world.makePeer(start.configuration, told, start.encryption);
    } catch (error) {
      this.peer = null;
      logger.error('The browser cannot make a media connection.', error);
      return;
    }
    this.path = this.watch(this.peer);
    if (start.receives) this.negotiate();
    for (const [publication, { streamId }] of this.sent) if (streamId !== null) this.republish(publication, streamId);
  }

  private watch(peer: Peer): PathWatch {
    return new PathWatch({
      now: () => this.world.now(),
      after: (milliseconds, run) => this.world.after(milliseconds, run),
      sample: () => (peer.state === 'connected' ? this.sample(peer) : Promise.resolve(null)),
      sends: () => this.sent.size > 0,
      probe: () => (this.isHeard ? this.world.probe() : Promise.resolve(false)),
      restartIce: () => {
        this.restartIce();
      },
    });
  }

  private async sample(peer: Peer): Promise<PathSample | null> {
    const sample = await peer.sample();
    if (peer === this.peer) for (const slot of peer.standstills) this.world.onStandstill(this.epoch, slot);
    return sample;
  }

  private replace(): void {
    if (this.start === null) return;
    logger.info('The media connection is made anew.');
    this.path?.stop();
    this.peer?.close();
    this.postponed = [];
    this.setFlow(false);
    this.world.onReplaced();
    this.makePeer();
  }

  private changed(state: PeerState): void {
    if (state === 'connected') {
      this.failures = 0;
      this.setFlow(true);
      this.wake();
    } else if (state === 'interrupted') {
      this.setFlow(false);
      this.path?.interrupted();
    } else if (state === 'failed') {
      this.setFlow(false);
      this.tryAgain(() => {
        this.replace();
      });
    }
  }

  /**
   * Runs `step` after a pause that grows with every failure in a row, and not before the signalling is there, unless the
   * peer was replaced meanwhile.
   */
  private tryAgain(step: () => void): void {
    const { epoch, start } = this;
    this.world.after(this.world.retryDelayMs(this.failures), () => {
      if (epoch !== this.epoch || start === null || start !== this.start) return;
      if (this.isHeard) step();
      else this.postponed.push(step);
    });
    this.failures += 1;
  }

  private setFlow(flows: boolean): void {
    if (!flows && (this.isStopping || !this.flows)) return;
    this.flowChanges += 1;
    this.isStopping = !flows;
    if (flows) {
      this.tellFlow(true);
      return;
    }
    const change = this.flowChanges;
    this.world.after(FLOW_PATIENCE_MS, () => {
      if (change === this.flowChanges) this.tellFlow(false);
    });
  }

  private tellFlow(flows: boolean): void {
    this.isStopping = false;
    if (flows === this.flows) return;
    this.flows = flows;
    this.world.onFlow(flows);
  }

  private restartIce(): void {
    const { peer } = this;
    peer?.restartIce();
    this.negotiate();
  }

  /** Offers what the peer holds now, until the server answers. */
  private negotiate(): void {
    const { epoch } = this;
    this.offer('negotiate', {}, (peer) => {
      if (peer.slotCount < this.wantedPairs) peer.addSlotPairs(this.wantedPairs - peer.slotCount);
      return null;
    }).catch((error: unknown) => {
      if (epoch !== this.epoch || this.start === null) return;
      logger.error('The media connection could not be negotiated.', error);
      this.tryAgain(() => {
        this.negotiate();
      });
    });
  }

  private async announce(publication: Publication, description: StreamDescription): Promise<WireStream> {
    for (;;) {
      const { epoch } = this;
      try {
        const { stream } = await this.offer('publish', description, (peer) => {
          this.sent.set(publication, { lines: peer.send(publication.tracks()), streamId: null });
          return publication;
        });
        const sent = this.sent.get(publication);
        if (sent !== undefined) sent.streamId = stream.id;
        return stream;
      } catch (error) {
        if (error instanceof Answered) return this.adopt(publication, error.result as ResultOf<'publish'>);
        if (epoch !== this.epoch && this.start !== null) continue;
        this.unpublish(publication);
        throw asOTError(error, 'OT_CREATE_PEER_CONNECTION_FAILED');
      }
    }
  }

  /** The stream was registered on a peer that has been replaced meanwhile: its lines are named again. */
  private adopt(publication: Publication, { stream }: ResultOf<'publish'>): WireStream {
    const sent = this.sent.get(publication);
    if (sent !== undefined) {
      sent.streamId = stream.id;
      this.republish(publication, stream.id);
    }
    return stream;
  }

  private republish(publication: Publication, streamId: string): void {
    const { epoch } = this;
    this.offer('republish', { streamId }, (peer) => {
      this.sent.set(publication, { lines: peer.send(publication.tracks()), streamId });
      return publication;
    }).catch((error: unknown) => {
      if (epoch !== this.epoch || !this.sent.has(publication)) return;
      logger.error('A stream could not be published again.', error);
      this.sent.get(publication)?.lines.stop();
      this.tryAgain(() => {
        if (this.sent.has(publication)) this.republish(publication, streamId);
      });
    });
  }

  /**
   * One turn: prepare the peer, offer, ask, apply the answer. `prepare` returns the publication whose lines the request
   * names, if any. Rejects with Superseded when the peer was replaced before the request was sent, with Answered when it
   * was replaced before the answer came, and else with what went wrong, after taking the offer back.
   */
  private offer<T extends OfferRequest>(
    type: T,
    fields: OfferFields<T>,
    prepare: (peer: Peer) => Publication | null,
  ): Promise<ResultOf<T>> {
    const { peer, epoch } = this;
    const run = async (): Promise<ResultOf<T>> => {
      if (peer === null || peer !== this.peer) throw new Superseded();
      const publication = prepare(peer);
      const offer = await peer.offer();
      if (peer !== this.peer) throw new Superseded();
      const lines = publication && this.sent.get(publication)?.lines;
      const body = {
        type,
        ...fields,
        epoch,
        offer,
        slots: peer.newSlots(),
        ...(lines?.audioMid === undefined ? {} : { audioMid: lines.audioMid }),
        ...(lines?.videoMid === undefined ? {} : { videoMid: lines.videoMid }),
      } as unknown as RequestOf<T>;
      let result: ResultOf<T>;
      try {
        result = await this.world.request(body);
      } catch (error) {
        if (peer === this.peer) await peer.withdraw();
        throw error;
      }
      if (peer !== this.peer) throw new Answered(result);
      // Already now, not once the answer is applied: bindings of this epoch may follow the answer at once.
      this.established = true;
      await peer.accept(result.answer).catch((error: unknown) => {
        throw asOTError(error, 'OT_SET_REMOTE_DESCRIPTION_FAILED');
      });
      return result;
    };
    const turn = this.turn.then(run);
    this.turn = turn.catch(() => undefined);
    return turn;
  }

  /** Resolves when media passes; rejects when the client has left, or after the deadline. */
  private connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.peer === null) reject(new OTError('OT_NOT_CONNECTED', 'The client has left the session.'));
        else if (this.peer.state === 'connected') resolve();
        else this.waiting.push(look);
      };
      look();
      this.world.after(CONNECT_DEADLINE_MS, () => {
        reject(new OTError('OT_ICE_WORKFLOW_FAILED', 'No media path to the server could be made.'));
      });
    });
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const look of waiting) look();
  }
}

/** The request was answered, but its peer had been replaced. */
class Answered extends Error {
  constructor(readonly result: unknown) {
    super();
  }
}

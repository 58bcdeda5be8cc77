/** Requests that wait for their reply: numbered from 1, sent in order, sent again after a resume with the same number. */
import {
  isResult,
  type AnyRequest,
  type Reply,
  type RequestOf,
  type RequestType,
  type ResultOf,
} from '../wire/index.ts';
import { OTError } from '../errors.ts';

/** Below the wire's 256 unanswered requests, so that the socket is never closed for them. */
const IN_FLIGHT = 200;
/** Requests that may wait for their turn; chosen by judgement, a minute of signals at the server's own limit. */
const WAITING = 6_000;
/**
 * Signals among them: what a cut has held back and then lets through at once stays below the 100 in a second that the server
 * takes, so that none of it is refused out of its order.
 */
const SIGNALS_IN_FLIGHT = 90;
/**
 * Signals that piled up while there was no socket go out at this pace, beginning with none: those of the second before may
 * have used up the server's limit. After a pause so many may go at once.
 */
const PER_SECOND = 80;
const BURST = 50;

/** What of the world the pace needs. */
export interface Pacing {
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  after(milliseconds: number, run: () => void): unknown;
}

interface Pending {
  readonly id: number;
  readonly body: AnyRequest;
  readonly resolve: (result: never) => void;
  readonly reject: (error: OTError) => void;
  /** False: fails when the socket is lost before the reply. */
  readonly survivesLoss: boolean;
}

export class Requests {
  private next = 1;
  private pending = new Map<number, Pending>();
  /** What is not on this socket yet, oldest first: what may have to keep the pace, and what never waits for it. */
  private paced: Pending[] = [];
  private free: Pending[] = [];
  private sent = new Set<number>();
  private sentSignals = 0;
  private open = false;
  /** Signals below this number keep the pace. */
  private pacedUntil = 0;
  private tokens = 0;
  private tokensAt = 0;
  private isWoken = false;

  /** `transmit` sends one request over the socket that is open now. */
  constructor(
    private readonly transmit: (id: number, body: AnyRequest) => void,
    private readonly pacing: Pacing,
  ) {}

  /** The reply's result. Rejects with the reply's error, or with OT_NOT_CONNECTED when the connection ends before it. */
  request<T extends RequestType>(body: RequestOf<T>, survivesLoss = true): Promise<ResultOf<T>> {
    if (!survivesLoss && !this.open) return Promise.reject(notConnected('The connection is interrupted.'));
    if (this.pending.size >= IN_FLIGHT + WAITING) {
      return Promise.reject(new OTError('OT_RATE_LIMIT_EXCEEDED', 'Too many requests wait for the server.'));
    }
    return new Promise((resolve, reject) => {
      const request: Pending = {
        id: this.next++,
        body: body as unknown as AnyRequest,
        resolve: resolve as (result: never) => void,
        reject,
        survivesLoss,
      };
      this.pending.set(request.id, request);
      this.queue(request);
      this.pump();
    });
  }

  /** The socket can carry requests (again): everything unanswered is sent, oldest first. */
  opened(): void {
    this.open = true;
    this.pacedUntil = this.next;
    this.tokens = 0;
    this.tokensAt = this.pacing.now();
    this.pump();
  }

  /** The socket is lost: what may not wait for the next one fails. */
  lost(): void {
    this.open = false;
    this.sent.clear();
    this.sentSignals = 0;
    this.paced = [];
    this.free = [];
    for (const request of this.pending.values()) {
      if (request.survivesLoss) {
        this.queue(request);
        continue;
      }
      this.pending.delete(request.id);
      request.reject(notConnected('The connection was interrupted before the server answered.'));
    }
  }

  /** Settles the request that `reply` answers; a repeated reply changes nothing. */
  answered(reply: Reply): void {
    const pending = this.pending.get(reply.id);
    if (pending === undefined) return;
    this.pending.delete(reply.id);
    if (this.sent.delete(reply.id) && pending.body.type === 'signal') this.sentSignals -= 1;
    if (reply.error !== undefined) {
      pending.reject(new OTError(reply.error.name, reply.error.message, reply.error.code));
    } else if (isResult(pending.body.type, reply.result)) {
      pending.resolve(reply.result as never);
    } else {
      pending.reject(new OTError('OT_UNEXPECTED_SERVER_RESPONSE', `The answer to ${pending.body.type} is malformed.`));
    }
    this.pump();
  }

  /** The connection has ended: everything fails, and numbers start again. */
  end(): void {
    const left = [...this.pending.values()];
    this.pending = new Map();
    this.paced = [];
    this.free = [];
    this.sent.clear();
    this.sentSignals = 0;
    this.open = false;
    this.next = 1;
    for (const { reject } of left) reject(notConnected('The connection ended before the server answered.'));
  }

  /** A goodbye stays behind the signals that were sent before it; nothing else waits for signals. */
  private queue(request: Pending): void {
    const { type } = request.body;
    (type === 'signal' || type === 'leave' ? this.paced : this.free).push(request);
  }

  /** Sends what may be sent. */
  private pump(): void {
    while (this.open && this.sent.size < IN_FLIGHT) {
      const request = this.take();
      if (request === undefined) return;
      // The answer may have come already: the server had the request from the socket before.
      if (!this.pending.has(request.id)) continue;
      this.sent.add(request.id);
      if (request.body.type === 'signal') this.sentSignals += 1;
      this.transmit(request.id, request.body);
    }
  }

  private take(): Pending | undefined {
    const [first] = this.paced;
    const [other] = this.free;
    if (first === undefined || (other !== undefined && other.id < first.id)) return this.free.shift();
    const isSignal = first.body.type === 'signal';
    if (isSignal && this.sentSignals >= SIGNALS_IN_FLIGHT) return this.free.shift();
    if (!isSignal || first.id >= this.pacedUntil || this.takeToken()) return this.paced.shift();
    this.wakeForToken();
    return this.free.shift();
  }

  private takeToken(): boolean {
    const now = this.pacing.now();
    this.tokens = Math.min(BURST, this.tokens + ((now - this.tokensAt) * PER_SECOND) / 1000);
    this.tokensAt = now;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }

  private wakeForToken(): void {
    if (this.isWoken) return;
    this.isWoken = true;
    this.pacing.after(1000 / PER_SECOND, () => {
      this.isWoken = false;
      this.pump();
    });
  }
}

function notConnected(message: string): OTError {
  return new OTError('OT_NOT_CONNECTED', message);
}

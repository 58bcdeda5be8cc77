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
  private sent = 0;

  /** `transmit` sends one request over the socket that is open now. */
  constructor(private readonly transmit: (id: number, body: AnyRequest) => void) {}

  private open = false;

  /** The reply's result. Rejects with the reply's error, or with OT_NOT_CONNECTED when the connection ends before it. */
  request<T extends RequestType>(body: RequestOf<T>, survivesLoss = true): Promise<ResultOf<T>> {
    if (!survivesLoss && !this.open) return Promise.reject(notConnected('The connection is interrupted.'));
    if (this.pending.size >= IN_FLIGHT + WAITING) {
      return Promise.reject(new OTError('OT_RATE_LIMIT_EXCEEDED', 'Too many requests wait for the server.'));
    }
    return new Promise((resolve, reject) => {
      const id = this.next++;
      this.pending.set(id, {
        id,
        body: body as unknown as AnyRequest,
        resolve: resolve as (result: never) => void,
        reject,
        survivesLoss,
      });
      this.pump();
    });
  }

  /** The socket can carry requests (again): everything unanswered is sent, oldest first. */
  opened(): void {
    this.open = true;
    this.sent = 0;
    this.pump();
  }

  /** The socket is lost: what may not wait for the next one fails. */
  lost(): void {
    this.open = false;
    for (const [id, { survivesLoss, reject }] of this.pending) {
      if (survivesLoss) continue;
      this.pending.delete(id);
      reject(notConnected('The connection was interrupted before the server answered.'));
    }
  }

  /** Settles the request that `reply` answers; a repeated reply changes nothing. */
  answered(reply: Reply): void {
    const pending = this.pending.get(reply.id);
    if (pending === undefined) return;
    this.pending.delete(reply.id);
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
    this.open = false;
    this.next = 1;
    for (const { reject } of left) reject(notConnected('The connection ended before the server answered.'));
  }

  /** Sends what is not on this socket yet; `sent` is the highest number that is. */
  private pump(): void {
    if (!this.open) return;
    let inFlight = 0;
    for (const { id, body } of this.pending.values()) {
      if (++inFlight > IN_FLIGHT) return;
      if (id <= this.sent) continue;
      this.sent = id;
      this.transmit(id, body);
    }
  }
}

function notConnected(message: string): OTError {
  return new OTError('OT_NOT_CONNECTED', message);
}

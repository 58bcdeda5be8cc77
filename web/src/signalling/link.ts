/**
 * The signalling link: one connection to control over as many sockets as it takes.
 *
 * A lost socket (closed, silent for two heartbeats, or without an answer to a probe) is replaced by another that resumes,
 * for as long as the server's reconnect window; requests that had no reply are sent again with their numbers. What ends the
 * link is said once.
 */
import {
  encodeFrame,
  parseFrame,
  type ClientBody,
  type Join,
  type Joined,
  type Notice,
  type Ping,
  type Pong,
  type Reason,
  type Refused,
  type Reply,
  type RequestOf,
  type RequestType,
  type ResultOf,
  type Resumed,
  type SenderStatsReport,
  type StalledVideoReport,
  type SessionEvent,
  type WireError,
} from '../wire/index.ts';
import { logger } from '../logger.ts';
import { Requests } from './requests.ts';
import { retryDelayMs } from './retry.ts';

export type Timer = unknown;

/** What a link needs of the world; tests give it a fake. */
export interface Surroundings {
  openSocket(url: string): WebSocket;
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  after(milliseconds: number, run: () => void): Timer;
  cancel(timer: Timer): void;
  /** In [0, 1). */
  random(): number;
}

/** The output of a link, called from its socket's and timers' tasks. */
export interface LinkHandlers {
  joined(message: Joined): void;
  /** The attempt to join failed; the link is over. */
  failed(error: WireError): void;
  interrupted(): void;
  resumed(message: Resumed): void;
  event(number: number, event: SessionEvent): void;
  notice(notice: Exclude<Notice, Reply | Ping | Pong>): void;
  /** The connection is over, for this reason. */
  ended(reason: Reason): void;
  /** Number of the last event handled. */
  lastNumber(): number;
}

/** How long a socket may take from its opening to `joined` or `resumed`. */
const OPENING_DEADLINE_MS = 15_000;
const RESUME_DEADLINE_MS = 5_000;
/**
 * How long a socket that is in doubt may take to say anything. Chosen by judgement: more than a lost packet and its repeats
 * cost on a working network, and short enough that a cut of five seconds is noticed while it lasts.
 */
const PROBE_DEADLINE_MS = 1_250;
/** A timer that runs this late says that the page slept: what the server sent meanwhile is still to be read. */
const LATE_MS = 250;
/** A request without a reply, and without any other word of the server, for so long puts the socket in doubt. */
const ANSWER_DOUBT_MS = 1_500;
/** An attempt to resume that is younger than this is not begun again when the network changes. */
const YOUNG_ATTEMPT_MS = 500;
/** How long `leave` waits for its reply before the socket is closed without. */
const LEAVE_DEADLINE_MS = 2_000;
/** A heartbeat may be this much late before it counts as missed: a share of it, and at least the first figure. */
const HEARTBEAT_MARGIN_MS = 250;
const HEARTBEAT_MARGIN = 0.2;

/** How an attempt to join fails: no server is reached or it hangs up, or it does not answer. */
const CONNECT_FAILED = 1006;
const CONNECT_TIMED_OUT = 1008;

const CLOSE = { normal: 1000, replaced: 4002, ended: 4005 } as const;

/** What is still needed of `joined` to resume. */
interface Seat {
  readonly connectionId: string;
  readonly resumeKey: string;
  readonly silenceMs: number;
  readonly windowMs: number;
}

type TimerName = 'deadline' | 'silence' | 'retry' | 'probe' | 'doubt';
type Stage = 'joining' | 'open' | 'waiting' | 'resuming' | 'leaving' | 'over';

export class SignallingLink {
  private stage: Stage = 'joining';
  private socket: WebSocket | null = null;
  private seat: Seat | null = null;
  private heardAt = 0;
  private attempt = 0;
  private attemptBegan = 0;
  /** A `resume` was sent on a socket that was given up before its answer: the server may still read it, and late. */
  private hasStraggler = false;
  private windowEndsAt = 0;
  private readonly timers: Record<TimerName, Timer> = {
    deadline: null,
    silence: null,
    retry: null,
    probe: null,
    doubt: null,
  };
  private probes: ((isAlive: boolean) => void)[] = [];
  private readonly requests: Requests;

  /** Joins at once. `url` is the server's signalling address. */
  constructor(
    private readonly url: string,
    join: Join,
    private readonly handlers: LinkHandlers,
    private readonly world: Surroundings,
  ) {
    this.requests = new Requests((id, body) => {
      this.transmit(id, body);
      this.expectAnswer();
    }, world);
    this.open(join, OPENING_DEADLINE_MS);
  }

  /** The result of a request; see `Requests.request`. */
  request<T extends RequestType>(
    body: RequestOf<T>,
    options: { readonly survivesLoss?: boolean } = {},
  ): Promise<ResultOf<T>> {
    return this.requests.request(body, options.survivesLoss ?? true);
  }

  /**
   * Says goodbye; `ended('clientDisconnected')` follows when the server has heard it, or cannot hear it. Without a socket
   * one attempt is made to get another: else the server would hold the seat, and the others see us, for a whole window.
   */
  leave(): void {
    if (this.stage === 'over' || this.stage === 'leaving') return;
    if (this.stage === 'joining') {
      this.finish('clientDisconnected');
      return;
    }
    const isWaiting = this.stage === 'waiting';
    this.stage = 'leaving';
    const left = (): void => {
      this.finish('clientDisconnected');
    };
    this.requests.request({ type: 'leave' }).then(left, left);
    if (isWaiting) this.openAgain(LEAVE_DEADLINE_MS);
    else this.setTimer('deadline', LEAVE_DEADLINE_MS, left);
  }

  /** Says goodbye as well as a page that is being closed can, and is over without another word. */
  goodbye(): void {
    if (this.stage === 'over') return;
    // A socket that is still joining or resuming gets the goodbye too: the server reads it right after its first frame.
    if (this.socket?.readyState === WebSocket.OPEN)
      void this.requests.request({ type: 'leave' }).catch(() => undefined);
    if (this.stage === 'joining' || this.stage === 'resuming') this.requests.opened();
    this.close();
  }

  /** The network has changed, says the browser: a retry need not wait, and a socket that seems open may be dead. */
  networkChanged(): void {
    const stuck = this.stage === 'resuming' && this.world.now() - this.attemptBegan >= YOUNG_ATTEMPT_MS;
    if (stuck) this.dropSocket();
    if (stuck || this.stage === 'waiting') this.resume();
    else void this.probe();
  }

  /** Asks the server for a sign of life: true when one came, false when the socket was lost or there is none. */
  probe(): Promise<boolean> {
    if (this.stage !== 'open') return Promise.resolve(false);
    return new Promise((resolve) => {
      this.probes.push(resolve);
      if (this.probes.length > 1) return;
      this.awaitSign(this.world.now() + PROBE_DEADLINE_MS);
      this.transmit(0, { type: 'ping' });
    });
  }

  /** Says something that is not answered; without a socket it is lost. */
  say(body: SenderStatsReport | StalledVideoReport): void {
    if (this.stage === 'open') this.transmit(0, body);
  }

  private awaitSign(dueAt: number): void {
    this.setTimer('probe', Math.max(1, dueAt - this.world.now()), () => {
      const now = this.world.now();
      if (now - dueAt >= LATE_MS) this.awaitSign(now + LATE_MS);
      else this.lost('The server does not answer.');
    });
  }

  private settleProbes(isAlive: boolean): void {
    this.clearTimer('probe');
    for (const settle of this.probes.splice(0)) settle(isAlive);
  }

  /** Doubts the socket if nothing at all comes back soon. */
  private expectAnswer(): void {
    if (this.timers.doubt !== null) return;
    const askedAt = this.world.now();
    this.setTimer('doubt', ANSWER_DOUBT_MS, () => {
      this.clearTimer('doubt');
      if (this.heardAt <= askedAt) void this.probe();
    });
  }

  private open(first: ClientBody, deadlineMs: number): void {
    let socket: WebSocket;
    try {
      socket = this.world.openSocket(this.url);
    } catch (error) {
      this.lost(error instanceof Error ? error.message : 'The socket could not be opened.');
      return;
    }
    this.socket = socket;
    this.setTimer('deadline', deadlineMs, () => {
      if (this.socket !== socket) return;
      // A network that takes no packet need not be spared, unlike a server that is busy: the deadline was pause enough.
      if (socket.readyState === WebSocket.CONNECTING) this.attempt = 0;
      this.lost('The server did not answer in time.', CONNECT_TIMED_OUT);
    });
    socket.onopen = () => {
      if (this.socket === socket) socket.send(encodeFrame(0, this.handlers.lastNumber(), first));
    };
    socket.onmessage = (message: MessageEvent<unknown>) => {
      if (this.socket === socket && typeof message.data === 'string') this.received(message.data);
    };
    socket.onclose = ({ code }) => {
      if (this.socket === socket) this.closed(code);
    };
  }

  private received(text: string): void {
    this.heardAt = this.world.now();
    const frame = parseFrame(text);
    if (frame === null) {
      logger.warn('The server sent something that this version does not understand.', text.slice(0, 100));
      return;
    }
    this.settleProbes(true);
    const { number, body } = frame;
    switch (body.type) {
      case 'pong':
        return;
      case 'ping':
        this.transmit(0, { type: 'pong' });
        return;
      case 'reply':
        this.requests.answered(body);
        return;
      case 'joined':
        this.joined(body);
        return;
      case 'resumed':
        this.resumed(body);
        return;
      case 'refused':
        this.refused(body);
        return;
      case 'disconnected':
        this.finish(body.reason);
        return;
      case 'bound':
      case 'unbound':
      case 'audioSlot':
      case 'slotsNeeded':
      case 'subscriptionVideo':
      case 'subscriptionVideoWarning':
      case 'caption':
      case 'senderStats':
      case 'layersPaused':
      case 'mediaFailed':
        this.handlers.notice(body);
        return;
      default:
        this.handlers.event(number, body);
    }
  }

  private joined(message: Joined): void {
    if (this.stage !== 'joining') return;
    const heartbeatMs = message.heartbeatS * 1000;
    this.seat = {
      connectionId: message.connection.id,
      resumeKey: message.resumeKey,
      silenceMs: 2 * heartbeatMs + Math.max(HEARTBEAT_MARGIN_MS, HEARTBEAT_MARGIN * heartbeatMs),
      windowMs: message.reconnectWindowS * 1000,
    };
    this.carry();
    this.handlers.joined(message);
  }

  private resumed(message: Resumed): void {
    if (this.stage === 'leaving') this.requests.opened();
    if (this.stage !== 'resuming' || this.seat === null) return;
    this.seat = { ...this.seat, resumeKey: message.resumeKey };
    this.attempt = 0;
    this.stage = 'open';
    this.handlers.resumed(message);
    this.carry();
  }

  /** The socket carries requests from here on. */
  private carry(): void {
    this.stage = 'open';
    this.clearTimer('deadline');
    this.heardAt = this.world.now();
    this.watchSilence();
    this.requests.opened();
  }

  private refused({ error }: Refused): void {
    if (this.stage === 'joining') {
      this.close();
      this.handlers.failed(error);
    } else if (this.stage === 'leaving') {
      this.finish('clientDisconnected');
    } else if (error.name === 'OT_CONNECT_FAILED') {
      this.lost(error.message); // the server cannot take the connection now; the seat may still be there
    } else {
      this.finish('networkDisconnected');
    }
  }

  private closed(code: number): void {
    const byStraggler = code === CLOSE.replaced && this.hasStraggler;
    if (byStraggler) this.hasStraggler = false;
    if (this.stage === 'leaving') this.finish('clientDisconnected');
    else if (this.seat !== null && !byStraggler && (code === CLOSE.replaced || code === CLOSE.ended))
      this.finish('networkDisconnected');
    else this.lost(`The connection to ${this.url} was closed (code ${code}).`);
  }

  /** The socket is of no more use; what follows depends on how far it had come. */
  private lost(message: string, code = CONNECT_FAILED): void {
    this.dropSocket();
    if (this.stage === 'joining') {
      this.close();
      this.handlers.failed({ name: 'OT_CONNECT_FAILED', code, message });
      return;
    }
    if (this.stage === 'leaving') {
      this.finish('clientDisconnected');
      return;
    }
    if (this.stage === 'open') {
      this.attempt = 0;
      this.windowEndsAt = this.world.now() + (this.seat?.windowMs ?? 0);
      this.requests.lost();
      this.stage = 'waiting';
      this.handlers.interrupted();
    }
    this.stage = 'waiting';
    this.waitToResume();
  }

  private waitToResume(): void {
    const left = this.windowEndsAt - this.world.now();
    if (left <= 0) {
      this.finish('networkDisconnected');
      return;
    }
    const delay = retryDelayMs(this.attempt, this.world.random());
    this.attempt += 1;
    this.setTimer('retry', Math.min(delay, left), () => {
      if (this.world.now() >= this.windowEndsAt) this.finish('networkDisconnected');
      else this.resume();
    });
  }

  private resume(): void {
    this.stage = 'resuming';
    this.attemptBegan = this.world.now();
    this.openAgain(Math.max(1, Math.min(RESUME_DEADLINE_MS, this.windowEndsAt - this.world.now())));
  }

  /** Opens another socket for the seat. */
  private openAgain(deadline: number): void {
    if (this.seat === null) return;
    this.clearTimer('retry');
    const { connectionId, resumeKey } = this.seat;
    this.open(
      { type: 'resume', connectionId, resumeKey, after: this.handlers.lastNumber(), audioSlots: true },
      deadline,
    );
  }

  /** Timers of background tabs run late, so the clock decides, not the timer. */
  private watchSilence(): void {
    const silenceMs = this.seat?.silenceMs ?? 0;
    this.setTimer('silence', Math.max(1, this.heardAt + silenceMs - this.world.now()), () => {
      if (this.stage !== 'open' && this.stage !== 'leaving') return;
      if (this.world.now() - this.heardAt >= silenceMs) this.lost('The server is silent.');
      else this.watchSilence();
    });
  }

  private finish(reason: Reason): void {
    if (this.stage === 'over') return;
    this.close();
    this.handlers.ended(reason);
  }

  private close(): void {
    this.stage = 'over';
    this.clearTimer('retry');
    this.dropSocket();
    this.requests.end();
  }

  private dropSocket(): void {
    const socket = this.socket;
    this.socket = null;
    for (const name of ['deadline', 'silence', 'doubt'] as const) this.clearTimer(name);
    this.settleProbes(false);
    if (socket === null) return;
    if (this.stage === 'resuming' && socket.readyState === WebSocket.OPEN) this.hasStraggler = true;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(CLOSE.normal);
  }

  private transmit(id: number, body: ClientBody): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(encodeFrame(id, this.handlers.lastNumber(), body));
  }

  private setTimer(name: TimerName, milliseconds: number, run: () => void): void {
    this.clearTimer(name);
    this.timers[name] = this.world.after(milliseconds, run);
  }

  private clearTimer(name: TimerName): void {
    if (this.timers[name] !== null) this.world.cancel(this.timers[name]);
    this.timers[name] = null;
  }
}

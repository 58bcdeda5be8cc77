/** A clock that is moved by hand, sockets that are answered by hand, and chance that is always the same. */
import { FrameEncryption } from '../encryption/index.ts';
import type { EngineWorld } from '../engine/index.ts';
import { FakeEncryptionWorker } from './fake-encryption-worker.ts';
import { fakePeers } from '../rtc/fake-peer.ts';

/** The page's side of a socket whose other side is the test. */
export class FakeSocket {
  static readonly OPEN = 1;
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  /** Frames that the page has sent, parsed. */
  readonly sent: [number, number, { type: string } & Record<string, unknown>][] = [];
  closedWith: number | null = null;
  /** Called for every frame, after it stands in `sent`. */
  onSent: (frame: FakeSocket['sent'][number]) => void = () => undefined;

  constructor(readonly url: string) {}

  send(text: string): void {
    const frame = JSON.parse(text) as FakeSocket['sent'][number];
    this.sent.push(frame);
    this.onSent(frame);
  }

  close(code = 1000): void {
    this.readyState = 3;
    this.closedWith = code;
  }

  open(): void {
    this.readyState = FakeSocket.OPEN;
    this.onopen?.();
  }

  receive(number: number, body: object): void {
    this.onmessage?.({ data: JSON.stringify([number, body]) });
  }

  /** The network or the server ends it. */
  end(code = 1006): void {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  /** The bodies sent of one type. */
  of(type: string): Record<string, unknown>[] {
    return this.sent.map(([, , body]) => body).filter((body) => body.type === type);
  }
}

interface FakeTimer {
  readonly at: number;
  readonly run: () => void;
}

export class FakeWorld implements EngineWorld {
  readonly sockets: FakeSocket[] = [];
  readonly peers = fakePeers();
  readonly makePeer = this.peers.make;
  readonly workers: FakeEncryptionWorker[] = [];
  /** Called for every socket that the page opens. */
  onSocket: (socket: FakeSocket) => void = () => undefined;
  private time = 0;
  private timers: FakeTimer[] = [];

  openSocket(url: string): WebSocket {
    const socket = new FakeSocket(url);
    this.sockets.push(socket);
    this.onSocket(socket);
    return socket as unknown as WebSocket;
  }

  makeEncryption(address: string | null): FrameEncryption {
    const make = (from: string): FakeEncryptionWorker => {
      const worker = new FakeEncryptionWorker(from);
      this.workers.push(worker);
      return worker;
    };
    return new FrameEncryption([address ?? 'blob:own'], make, (milliseconds, run) => this.after(milliseconds, run));
  }

  now(): number {
    return this.time;
  }

  after(milliseconds: number, run: () => void): FakeTimer {
    const timer = { at: this.time + milliseconds, run };
    this.timers.push(timer);
    return timer;
  }

  cancel(timer: unknown): void {
    this.timers = this.timers.filter((known) => known !== timer);
  }

  random(): number {
    return 0;
  }

  /** Lets so much time pass, running what becomes due in order. */
  pass(milliseconds: number): void {
    const until = this.time + milliseconds;
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= until).sort((one, other) => one.at - other.at)[0];
      if (due === undefined) break;
      this.cancel(due);
      this.time = Math.max(this.time, due.at);
      due.run();
    }
    this.time = until;
  }

  /** Lets so much time pass in which the page does not run: what became due runs late, when `pass` is called. */
  sleep(milliseconds: number): void {
    this.time += milliseconds;
  }

  /** The socket that was opened last. */
  get socket(): FakeSocket {
    const last = this.sockets.at(-1);
    if (last === undefined) throw new Error('no socket was opened');
    return last;
  }
}

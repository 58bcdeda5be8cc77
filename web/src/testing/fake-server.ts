/** A server of one session for one page: answers requests as the real one would, as far as the page can see. */
import { ANN, joined, stream } from './samples.ts';
import type { FakeSocket, FakeWorld } from './fake-world.ts';
import type { Joined, WireError } from '../wire/index.ts';

export class FakeServer {
  /** What the next client that joins is told. */
  greeting: Joined = joined();
  /** Request type -> the error that answers it. */
  readonly refusals = new Map<string, WireError>();
  /** Request types that are not answered at all. */
  readonly silent = new Set<string>();
  private number = 10;
  private streams = 0;
  private subscriptions = 0;

  constructor(private readonly world: FakeWorld) {
    world.onSocket = (socket) => {
      socket.onSent = ([id, , body]) => {
        this.answer(socket, id, body);
      };
      queueMicrotask(() => {
        if (socket.readyState === 0) socket.open();
      });
    };
  }

  get socket(): FakeSocket {
    return this.world.socket;
  }

  /** Tells an event of the session. */
  tell(event: object): void {
    this.number += 1;
    this.socket.receive(this.number, event);
  }

  notice(notice: object): void {
    this.socket.receive(0, notice);
  }

  /** Ann publishes. */
  annPublishes(id = 'of-ann'): void {
    this.tell({ type: 'streamCreated', stream: stream(id, ANN.id) });
  }

  /** The connection of this page is ended. */
  kick(): void {
    this.notice({ type: 'disconnected', reason: 'forceDisconnected' });
  }

  private answer(socket: FakeSocket, id: number, body: { type: string } & Record<string, unknown>): void {
    if (this.silent.has(body.type)) return;
    if (body.type === 'join') {
      socket.receive(0, this.greeting);
      return;
    }
    if (body.type === 'ping') socket.receive(0, { type: 'pong' });
    const error = this.refusals.get(body.type);
    if (id === 0) return;
    socket.receive(
      0,
      error === undefined ? { type: 'reply', id, result: this.result(body) } : { type: 'reply', id, error },
    );
  }

  private result(body: { type: string } & Record<string, unknown>): object {
    switch (body.type) {
      case 'negotiate':
      case 'republish':
        return { answer: 'answer' };
      case 'publish': {
        this.streams += 1;
        const { name, hasAudio, hasVideo } = body as unknown as { name: string; hasAudio: boolean; hasVideo: boolean };
        const own = stream(`own-${this.streams}`, this.greeting.connection.id, { name, hasAudio, hasVideo });
        return { answer: 'answer', stream: own };
      }
      case 'subscribe':
        this.subscriptions += 1;
        return { subscriptionId: this.subscriptions };
      default:
        return {};
    }
  }
}

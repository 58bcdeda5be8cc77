/** A page of one era with a fake world, a fake server and fake devices. */
import { makeNamespace, Page, type Era, type Namespace } from '../api/index.ts';
import type { Event } from '../api/events.ts';
import type { Emitter } from '../api/emitter.ts';
import type { Session } from '../api/session.ts';
import { LEVELS, setLevel } from '../logger.ts';
import { stubMedia, type FakeDevices } from './fake-media.ts';
import { FakeServer } from './fake-server.ts';
import { FakeWorld } from './fake-world.ts';
import { settled } from './settled.ts';

export const API_KEY = '12345';
export const SESSION_ID = '2_session';

export class FakePage {
  readonly world = new FakeWorld();
  readonly server = new FakeServer(this.world);
  readonly devices: FakeDevices;
  readonly OT: Namespace;
  readonly session: Session;
  /** What the application was told: `name type`, and the reason if there is one. */
  readonly log: string[] = [];
  readonly events: Event[] = [];

  constructor(readonly era: Era) {
    this.devices = stubMedia();
    setLevel(LEVELS.NONE);
    this.OT = makeNamespace(new Page(era, this.world, 'https://media.example.org'));
    this.session = this.OT.initSession(API_KEY, SESSION_ID);
    this.listen(this.session, 'session', [
      'sessionConnected',
      'sessionDisconnected',
      'sessionReconnecting',
      'sessionReconnected',
      'connectionCreated',
      'connectionDestroyed',
      'streamCreated',
      'streamDestroyed',
      'streamPropertyChanged',
      'signal',
      'signal:chat',
      'signalReceived',
    ]);
    this.OT.on('exception', ({ code }: { code: number }) => this.log.push(`exception ${code}`));
  }

  listen(emitter: Emitter, name: string, types: readonly string[]): void {
    for (const type of types) {
      emitter.on(type, (event: Event & { reason?: string }) => {
        this.events.push(event);
        this.log.push([name, event.type, event.reason].filter((part) => part !== undefined).join(' '));
      });
    }
  }

  /** Connects, and forgets what was told of that. */
  async connected(): Promise<this> {
    this.session.connect('token');
    await this.calm();
    this.log.length = 0;
    return this;
  }

  /** Lets promises and queued jobs run. */
  async calm(): Promise<void> {
    for (let round = 0; round < 4; round += 1) {
      await settled();
      for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    }
  }

  /** The media path stands. */
  async flows(): Promise<void> {
    this.world.peers.made.at(-1)?.become('connected');
    await this.calm();
  }

  /** The last event of that type. */
  last<Type extends Event>(type: string): Type {
    const found = this.events.filter((event) => event.type === type).at(-1);
    if (found === undefined) throw new Error(`${type} was never told; told were: ${this.log.join(', ')}`);
    return found as Type;
  }

  takeLog(): string[] {
    return this.log.splice(0);
  }
}

import { beforeEach, describe, expect, test } from 'vitest';
import { BOB, errorOf, FakeWorld, joined, type FakeSocket } from '../testing/index.ts';
import type { Join, Resumed } from '../wire/index.ts';
import { SignallingLink, type LinkHandlers } from './index.ts';

const JOIN: Join = { type: 'join', token: 'token', sessionId: 'session' };
const RESUMED: Resumed = { type: 'resumed', resumeKey: 'key-2', epoch: 1, bindings: [] };

let world: FakeWorld;
let link: SignallingLink;
let told: string[];
let number: number;

beforeEach(() => {
  world = new FakeWorld();
  told = [];
  number = 0;
  const handlers: LinkHandlers = {
    joined: (message) => {
      number = message.number;
      told.push('joined');
    },
    failed: ({ name, code }) => told.push(`failed ${name} ${code}`),
    interrupted: () => told.push('interrupted'),
    resumed: () => told.push('resumed'),
    event: (at, { type }) => {
      number = at;
      told.push(`${type} ${at}`);
    },
    notice: ({ type }) => told.push(type),
    ended: (reason) => told.push(`ended ${reason}`),
    lastNumber: () => number,
  };
  link = new SignallingLink('ws://server/signalling', JOIN, handlers, world);
});

function join(): FakeSocket {
  world.socket.open();
  world.socket.receive(0, joined());
  return world.socket;
}

describe('joining', () => {
  test('the token is in the first frame and not in the address', () => {
    join();
    expect(world.socket.url).toBe('ws://server/signalling');
    expect(world.socket.sent).toEqual([[0, 0, JOIN]]);
    expect(told).toEqual(['joined']);
  });

  test('a refusal is told with its error, and the socket is closed', () => {
    world.socket.open();
    world.socket.receive(0, {
      type: 'refused',
      error: { name: 'OT_AUTHENTICATION_ERROR', code: 1004, message: 'expired' },
    });
    world.socket.end(4001);
    expect(told).toEqual(['failed OT_AUTHENTICATION_ERROR 1004']);
  });

  test.each([
    [
      'a server that is not there',
      1006,
      () => {
        world.socket.end(1006);
      },
    ],
    [
      'a server that says nothing',
      1008,
      () => {
        world.socket.open();
        world.pass(15_000);
      },
    ],
  ])('%s fails the attempt once, with %i', (_name, code, happen) => {
    happen();
    world.pass(100_000);
    expect(told).toEqual([`failed OT_CONNECT_FAILED ${code}`]);
    expect(world.sockets).toHaveLength(1);
  });

  test('what is not understood is passed over', () => {
    const socket = join();
    socket.onmessage?.({ data: 'nonsense' });
    socket.receive(0, { type: 'dance' });
    expect(told).toEqual(['joined']);
  });
});

describe('requests', () => {
  test('are numbered from 1, carry the last event number, and get their own replies', async () => {
    const socket = join();
    const first = link.request({ type: 'subscribe', streamId: 's', audio: true, video: true });
    socket.receive(11, { type: 'signal', data: 'x' });
    const second = link.request({ type: 'signal', data: 'hello' });
    expect(socket.sent.slice(1)).toEqual([
      [1, 10, { type: 'subscribe', streamId: 's', audio: true, video: true }],
      [2, 11, { type: 'signal', data: 'hello' }],
    ]);
    socket.receive(0, {
      type: 'reply',
      id: 2,
      error: { name: 'OT_RATE_LIMIT_EXCEEDED', code: 429, message: 'slower' },
    });
    socket.receive(0, { type: 'reply', id: 1, result: { subscriptionId: 5 } });
    expect(await first).toEqual({ subscriptionId: 5 });
    expect(await errorOf(second)).toMatchObject({ name: 'OT_RATE_LIMIT_EXCEEDED', code: 429 });
  });

  test('a malformed result is an error', async () => {
    const socket = join();
    const asked = link.request({ type: 'subscribe', streamId: 's', audio: true, video: true });
    socket.receive(0, { type: 'reply', id: 1, result: {} });
    expect((await errorOf(asked)).name).toBe('OT_UNEXPECTED_SERVER_RESPONSE');
  });

  test('never more than 200 are unanswered; the rest wait for their turn', () => {
    const socket = join();
    for (let index = 0; index < 250; index += 1) void link.request({ type: 'unsubscribe', subscriptionId: index });
    expect(socket.sent).toHaveLength(201);
    socket.receive(0, { type: 'reply', id: 1, result: {} });
    expect(socket.sent).toHaveLength(202);
    expect(socket.sent.at(-1)?.[0]).toBe(201);
  });

  test('of them never more than 90 are signals', () => {
    const socket = join();
    for (let index = 0; index < 100; index += 1) void link.request({ type: 'signal' });
    void link.request({ type: 'unsubscribe', subscriptionId: 1 });
    expect(socket.of('signal')).toHaveLength(90);
    expect(socket.of('unsubscribe')).toHaveLength(1);
    socket.receive(0, { type: 'reply', id: 1, result: {} });
    expect(socket.of('signal')).toHaveLength(91);
  });

  test('all fail when the connection ends', async () => {
    const socket = join();
    const asked = link.request({ type: 'signal' });
    socket.receive(0, { type: 'disconnected', reason: 'forceDisconnected' });
    expect((await errorOf(asked)).name).toBe('OT_NOT_CONNECTED');
    expect(told).toEqual(['joined', 'ended forceDisconnected']);
  });
});

describe('the heartbeat', () => {
  test('a ping is answered inside the message handler', () => {
    const socket = join();
    socket.receive(0, { type: 'ping' });
    expect(socket.sent.at(-1)).toEqual([0, 10, { type: 'pong' }]);
  });

  test('silence for two heartbeats and a margin is a loss', () => {
    const first = join();
    world.pass(21_900);
    expect(told).toEqual(['joined']);
    world.pass(200);
    expect(told).toEqual(['joined', 'interrupted']);
    expect(first.closedWith).toBe(1000);
    expect(world.sockets).toHaveLength(2);
  });

  test('any frame breaks the silence', () => {
    const socket = join();
    for (let minute = 0; minute < 10; minute += 1) {
      world.pass(20_000);
      socket.receive(0, { type: 'ping' });
    }
    expect(told).toEqual(['joined']);
  });
});

describe('a socket in doubt', () => {
  test('is asked, and any word of the server clears it', async () => {
    const socket = join();
    const probes = [link.probe(), link.probe()];
    expect(socket.of('ping')).toHaveLength(1);
    world.pass(1_000);
    socket.receive(0, { type: 'pong' });
    expect(await Promise.all(probes)).toEqual([true, true]);
    world.pass(10_000);
    expect(told).toEqual(['joined']);
    void link.probe();
    expect(socket.of('ping')).toHaveLength(2);
  });

  test('that says nothing for 1.25 s is lost', async () => {
    const socket = join();
    const probe = link.probe();
    world.pass(1_250);
    expect(await probe).toBe(false);
    expect(socket.closedWith).toBe(1000);
    expect(told).toEqual(['joined', 'interrupted']);
    expect(await link.probe()).toBe(false);
  });

  test('is not lost by a page that slept through the answer', () => {
    const socket = join();
    void link.probe();
    world.sleep(5_000);
    socket.receive(0, { type: 'pong' });
    world.pass(5_000);
    expect(told).toEqual(['joined']);
  });

  test.each(['an unanswered request', 'another network'])('is what %s makes of it', (cause) => {
    const socket = join();
    if (cause === 'another network') link.networkChanged();
    else void link.request({ type: 'signal' }).catch(() => undefined);
    world.pass(1_500);
    expect(socket.of('ping')).toHaveLength(1);
    world.pass(1_250);
    expect(told).toEqual(['joined', 'interrupted']);
  });

  test('is not what a slow answer makes of it while the server says other things', () => {
    const socket = join();
    void link.request({ type: 'signal' }).catch(() => undefined);
    world.pass(1_000);
    socket.receive(0, { type: 'ping' });
    world.pass(10_000);
    expect(socket.of('ping')).toHaveLength(0);
    expect(told).toEqual(['joined']);
  });
});

describe('signals that piled up', () => {
  test('go out in order and below the pace that the server allows, and hold nothing else up', () => {
    join().end();
    for (let index = 0; index < 300; index += 1) void link.request({ type: 'signal', data: String(index) });
    void link.request({ type: 'unsubscribe', subscriptionId: 1 });
    world.pass(0);
    const socket = world.socket;
    socket.open();
    const times: number[] = [];
    socket.onSent = ([id, , { type }]) => {
      if (type === 'signal') times.push(world.now());
      if (id > 0) socket.receive(0, { type: 'reply', id, result: {} });
    };
    socket.receive(0, RESUMED);
    expect(socket.of('unsubscribe')).toHaveLength(1);
    void link.request({ type: 'signal', data: '300' });
    world.pass(10_000);
    expect(socket.of('signal').map(({ data }) => data)).toEqual(
      Array.from({ length: 301 }, (_, index) => String(index)),
    );
    for (const [index, at] of times.entries()) {
      const before = times[index - 100];
      if (before !== undefined) expect(at - before).toBeGreaterThan(500);
    }
    expect(times.at(-1)).toBeLessThan(4_000);
  });

  test('are not sent again when their answer came before their turn', () => {
    const first = join();
    for (let index = 0; index < 80; index += 1) void link.request({ type: 'signal', data: String(index) });
    first.end();
    world.pass(0);
    const socket = world.socket;
    socket.open();
    socket.receive(0, RESUMED);
    socket.receive(0, { type: 'reply', id: 50, result: {} });
    world.pass(5_000);
    expect(socket.of('signal').map(({ data }) => data)).toContain('50');
    expect(socket.of('signal').map(({ data }) => data)).not.toContain('49');
  });
});

describe('a lost socket', () => {
  test('is replaced at once by one that resumes, and unanswered requests are sent again with their numbers', async () => {
    const first = join();
    const answered = link.request({ type: 'signal', data: 'one' });
    const open = link.request({ type: 'signal', data: 'two' });
    first.receive(0, { type: 'reply', id: 1, result: {} });
    await answered;
    first.receive(12, { type: 'signal', data: 'x' });
    first.end();
    const later = link.request({ type: 'signal', data: 'three' });
    world.pass(0);
    const second = world.socket;
    expect(second).not.toBe(first);
    second.open();
    expect(second.sent).toEqual([
      [0, 12, { type: 'resume', connectionId: BOB.id, resumeKey: 'key-1', after: 12, audioSlots: true }],
    ]);
    second.receive(0, RESUMED);
    world.pass(50);
    expect(second.sent.slice(1).map(([id, , body]) => [id, body['data']])).toEqual([
      [2, 'two'],
      [3, 'three'],
    ]);
    second.receive(0, { type: 'reply', id: 2, result: {} });
    second.receive(0, { type: 'reply', id: 2, result: {} });
    second.receive(0, { type: 'reply', id: 3, result: {} });
    await Promise.all([open, later]);
    expect(told).toEqual(['joined', 'signal 12', 'interrupted', 'resumed']);
  });

  test('the next loss resumes with the newest key', () => {
    join().end();
    world.pass(0);
    world.socket.open();
    world.socket.receive(0, RESUMED);
    world.socket.end();
    world.pass(0);
    world.socket.open();
    expect(world.socket.of('resume')).toMatchObject([{ resumeKey: 'key-2' }]);
  });

  test('is retried with growing pauses until the window ends, and told as one interruption', () => {
    join().end();
    const times: number[] = [];
    world.onSocket = (socket) => {
      times.push(world.now());
      queueMicrotask(() => undefined);
      world.after(1, () => {
        socket.end();
      });
    };
    world.pass(70_000);
    expect(times.slice(0, 4)).toEqual([0, 301, 902, 2103]);
    expect(times.at(-1)).toBeLessThan(60_000);
    expect(told).toEqual(['joined', 'interrupted', 'ended networkDisconnected']);
  });

  test('a request that may not wait fails at once', async () => {
    const socket = join();
    const before = link.request({ type: 'signal' }, { survivesLoss: false });
    socket.end();
    const during = link.request({ type: 'signal' }, { survivesLoss: false });
    expect((await errorOf(before)).name).toBe('OT_NOT_CONNECTED');
    expect((await errorOf(during)).name).toBe('OT_NOT_CONNECTED');
  });

  test('a seat that is gone ends the connection', () => {
    join().end();
    world.pass(0);
    world.socket.open();
    world.socket.receive(0, {
      type: 'refused',
      error: { name: 'OT_AUTHENTICATION_ERROR', code: 1004, message: 'gone' },
    });
    expect(told).toEqual(['joined', 'interrupted', 'ended networkDisconnected']);
  });

  test('a server that cannot take it yet is asked again', () => {
    join().end(1012);
    world.pass(0);
    world.socket.open();
    world.socket.receive(0, { type: 'refused', error: { name: 'OT_CONNECT_FAILED', code: 1006, message: 'starting' } });
    world.pass(400);
    expect(world.sockets).toHaveLength(3);
    expect(told).toEqual(['joined', 'interrupted']);
  });

  test('a network that comes back is tried at once', () => {
    join().end();
    world.pass(0);
    world.socket.end();
    const waiting = world.sockets.length;
    link.networkChanged();
    expect(world.sockets).toHaveLength(waiting + 1);
  });

  test('an attempt that the network before has swallowed is begun again', () => {
    join().end();
    world.pass(0);
    link.networkChanged();
    expect(world.sockets).toHaveLength(2);
    world.pass(500);
    link.networkChanged();
    expect(world.sockets).toHaveLength(3);
    expect(world.sockets[1]?.closedWith).toBe(1000);
  });

  test('on a network that takes no packet is tried every five seconds, without growing pauses', () => {
    join().end();
    const times: number[] = [];
    world.onSocket = () => times.push(world.now());
    world.pass(21_000);
    expect(times).toEqual([0, 5_000, 10_000, 15_000, 20_000]);
  });

  test('that another socket has replaced is not fought for', () => {
    join().end(4002);
    world.pass(100_000);
    expect(world.sockets).toHaveLength(1);
    expect(told).toEqual(['joined', 'ended networkDisconnected']);
  });

  test('that an own earlier attempt has replaced, which the server read late, is resumed once more', () => {
    join().end();
    world.pass(0);
    world.socket.open();
    world.pass(5_000);
    expect(world.sockets[1]?.of('resume')).toHaveLength(1);
    world.pass(400);
    expect(world.sockets).toHaveLength(3);
    world.socket.open();
    world.socket.receive(0, RESUMED);
    world.socket.end(4002);
    world.pass(0);
    expect(world.sockets).toHaveLength(4);
    world.socket.open();
    expect(world.socket.of('resume')).toMatchObject([{ resumeKey: 'key-2' }]);
    world.socket.receive(0, RESUMED);
    expect(told).toEqual(['joined', 'interrupted', 'resumed', 'interrupted', 'resumed']);
    world.socket.end(4002);
    world.pass(100_000);
    expect(world.sockets).toHaveLength(4);
    expect(told.at(-1)).toBe('ended networkDisconnected');
  });
});

describe('leaving', () => {
  test.each([
    [
      'the reply',
      (socket: FakeSocket) => {
        socket.receive(0, { type: 'reply', id: 1, result: {} });
        socket.end(4005);
      },
    ],
    [
      'the closing of the socket',
      (socket: FakeSocket) => {
        socket.end(4005);
      },
    ],
    [
      'two seconds without either',
      () => {
        world.pass(2_000);
      },
    ],
  ])('ends with %s, once', async (_name, happen) => {
    const socket = join();
    link.leave();
    link.leave();
    expect(socket.of('leave')).toHaveLength(1);
    happen(socket);
    await Promise.resolve();
    await Promise.resolve();
    world.pass(100_000);
    expect(told).toEqual(['joined', 'ended clientDisconnected']);
  });

  test('a kick that comes first gives its reason', () => {
    const socket = join();
    link.leave();
    socket.receive(0, { type: 'disconnected', reason: 'forceDisconnected' });
    socket.end(4005);
    expect(told).toEqual(['joined', 'ended forceDisconnected']);
  });

  test.each([
    ['waits for the next attempt', 0],
    ['has one under way', 5_000],
  ])('without a socket gets another for the goodbye while it %s', async (_name, milliseconds) => {
    const lost = join();
    lost.end();
    world.pass(milliseconds);
    link.leave();
    const { socket } = world;
    expect(socket).not.toBe(lost);
    const count = world.sockets.length;
    socket.open();
    socket.receive(0, RESUMED);
    expect(socket.sent.map(([, , { type }]) => type)).toEqual(['resume', 'leave']);
    expect(told).toEqual(['joined', 'interrupted']);
    socket.receive(0, { type: 'reply', id: 1 });
    await Promise.resolve();
    await Promise.resolve();
    world.pass(100_000);
    expect(told).toEqual(['joined', 'interrupted', 'ended clientDisconnected']);
    expect(world.sockets).toHaveLength(count);
  });

  test.each([
    [
      'nothing answers',
      () => {
        world.pass(2_000);
      },
    ],
    [
      'the socket is lost again',
      () => {
        world.socket.end();
      },
    ],
    [
      'the seat is gone',
      () => {
        world.socket.open();
        world.socket.receive(0, {
          type: 'refused',
          error: { name: 'OT_SESSION_CONNECTION_FAILED', code: 1010, message: 'gone' },
        });
      },
    ],
  ])('without a socket ends after one attempt if %s', (_name, happen) => {
    join().end();
    link.leave();
    happen();
    expect(told).toEqual(['joined', 'interrupted', 'ended clientDisconnected']);
    world.pass(100_000);
    expect(world.sockets).toHaveLength(2);
    expect(told).toHaveLength(3);
  });

  test('a page that closes says so and is told nothing', () => {
    const socket = join();
    link.goodbye();
    expect(socket.of('leave')).toHaveLength(1);
    expect(socket.closedWith).toBe(1000);
    expect(told).toEqual(['joined']);
  });

  test('a page that closes while it resumes says so too', () => {
    join().end();
    world.pass(1_000);
    world.socket.open();
    link.goodbye();
    expect(world.socket.sent.map(([, , { type }]) => type)).toEqual(['resume', 'leave']);
  });

  test('a page that closes while joining says so too', () => {
    world.socket.open();
    link.goodbye();
    expect(world.socket.sent.map(([, , { type }]) => type)).toEqual(['join', 'leave']);
    expect(told).toEqual([]);
  });
});

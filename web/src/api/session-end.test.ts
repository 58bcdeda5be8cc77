import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { v1, v2 } from '../eras/index.ts';
import { errorOf, FakePage, inACall, stream } from '../testing/index.ts';
import type { SessionDisconnectEvent, StreamEvent } from './events.ts';
import type { Publisher } from './publisher.ts';

beforeEach(() => {
  document.body.innerHTML = '<div id="me"></div><div id="them"></div>';
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  document.body.innerHTML = '';
});

describe('disconnecting', () => {
  const CAUSES = [
    [
      'disconnect()',
      'clientDisconnected',
      (page: FakePage) => {
        void page.session.disconnect();
      },
    ],
    [
      'a kick',
      'forceDisconnected',
      (page: FakePage) => {
        page.server.kick();
      },
    ],
  ] as const;

  const LOST = [
    'a network that stays away',
    'networkDisconnected',
    (page: FakePage) => {
      const { onSocket } = page.world;
      page.world.onSocket = (socket) => {
        socket.end();
      };
      page.world.socket.end();
      page.world.pass(61_000);
      page.world.onSocket = onSocket;
    },
  ] as const;

  test.each([...CAUSES, LOST])(
    '%s in the first era takes Subscribers and Publishers away',
    async (_name, reason, cause) => {
      const { page, publisher, subscriber } = await inACall(v1);
      let seen: unknown;
      page.session.on('sessionDisconnected', () => {
        seen = {
          connection: page.session.connection,
          connected: page.session.connected,
          elements: document.querySelectorAll('.OT_root').length,
          publishes: publisher.session,
        };
      });
      cause(page);
      expect(page.log).toEqual([]);
      await page.calm();
      expect(page.log.filter((line) => line.startsWith('session'))).toEqual([`session sessionDisconnected ${reason}`]);
      expect(page.log).not.toContain(`publisher streamDestroyed ${reason}`);
      expect(seen).toEqual({ connection: null, connected: false, elements: 2, publishes: null });
      expect(document.querySelectorAll('.OT_root')).toHaveLength(0);
      expect(page.session.getSubscribersForStream(subscriber.stream)).toEqual([]);
      expect(page.last<SessionDisconnectEvent>('sessionDisconnected')).toMatchObject({
        type: 'sessionDisconnected',
        target: page.session,
        cancelable: true,
        reason,
      });
    },
  );

  test.each([...CAUSES, LOST])(
    '%s, prevented in the first era, leaves both on the page, and the Publisher can be published again',
    async (_name, _reason, cause) => {
      const { page, publisher } = await inACall(v1);
      page.session.on('sessionDisconnected', (event: SessionDisconnectEvent) => {
        event.preventDefault();
      });
      cause(page);
      await page.calm();
      expect(document.querySelectorAll('.OT_subscriber, .OT_publisher')).toHaveLength(2);
      expect(publisher.session).toBeNull();
      expect(page.devices.opened.map(({ readyState }) => readyState)).toEqual(['live', 'live']);
      page.session.connect('token');
      await page.calm();
      page.takeLog();
      page.session.publish(publisher);
      await page.calm();
      expect(page.log).toEqual(['session streamCreated', 'session streamPropertyChanged']);
    },
  );

  test.each(CAUSES)(
    '%s in the second era tells the Session, then the Publisher, then the Subscriber',
    async (_name, reason, cause) => {
      const { page } = await inACall(v2);
      cause(page);
      await page.calm();
      expect(page.log).toEqual([
        `session sessionDisconnected ${reason}`,
        `publisher streamDestroyed ${reason}`,
        `publisher destroyed ${reason}`,
        `subscriber destroyed ${reason}`,
      ]);
      expect(document.querySelectorAll('.OT_root')).toHaveLength(0);
      expect(page.session.connection).toBeUndefined();
    },
  );

  test('prevented on the Session keeps Subscribers; the Publisher falls by its own event', async () => {
    const { page } = await inACall(v2);
    page.session.on('sessionDisconnected', (event: SessionDisconnectEvent) => {
      event.preventDefault();
    });
    page.server.kick();
    await page.calm();
    expect(document.querySelectorAll('.OT_subscriber')).toHaveLength(1);
    expect(document.querySelectorAll('.OT_publisher')).toHaveLength(0);
    expect(page.log).toEqual([
      'session sessionDisconnected forceDisconnected',
      'publisher streamDestroyed forceDisconnected',
      'publisher destroyed forceDisconnected',
    ]);
  });

  test('prevented on both keeps both; the page removes the Subscriber itself and publishes the Publisher again', async () => {
    const { page, publisher, subscriber } = await inACall(v2);
    const prevent = (event: SessionDisconnectEvent): void => {
      event.preventDefault();
    };
    page.session.on('sessionDisconnected', prevent);
    publisher.on('streamDestroyed', prevent);
    page.server.kick();
    await page.calm();
    const root = document.querySelector('.OT_subscriber');
    root?.parentNode?.removeChild(root);
    expect(page.devices.opened.every(({ readyState }) => readyState === 'live')).toBe(true);
    page.session.connect('token');
    await page.calm();
    page.takeLog();
    const published = page.session.publish.promise(publisher);
    await page.calm();
    await page.flows();
    await published;
    expect(page.log).toEqual(['publisher streamCreated']);
    subscriber.destroy();
    await page.calm();
    expect(page.log).toEqual(['publisher streamCreated', 'subscriber destroyed unsubscribed']);
  });

  test('a throwing handler stops neither the others nor the default', async () => {
    const reported = vi.fn();
    const { page } = await inACall(v2);
    vi.stubGlobal('reportError', reported);
    page.session.on('sessionDisconnected', () => {
      throw new Error('broken');
    });
    const after = vi.fn();
    page.session.on('sessionDisconnected', after);
    page.server.kick();
    await page.calm();
    expect(after).toHaveBeenCalledTimes(1);
    expect(reported).toHaveBeenCalledWith(new Error('broken'));
    expect(document.querySelectorAll('.OT_root')).toHaveLength(0);
  });

  test('twice, and while being kicked, is told once', async () => {
    const { page } = await inACall(v2);
    const left = [page.session.disconnect(), page.session.disconnect()];
    page.server.kick();
    await Promise.all(left);
    await page.session.disconnect();
    await page.calm();
    expect(page.log.filter((line) => line.includes('sessionDisconnected'))).toHaveLength(1);
  });

  test('while connecting fails the attempt, and tells no sessionDisconnected', async () => {
    const page = new FakePage(v2);
    page.server.silent.add('join');
    const failed = errorOf(page.session.connect.promise('token'));
    await page.session.disconnect();
    await page.calm();
    expect((await failed).name).toBe('OT_CONNECT_FAILED');
    expect(page.log).toEqual(['exception 1006']);
  });

  test.each([v1, v2])('to a server that says nothing is given up as a time-out ($name)', async (era) => {
    const page = new FakePage(era);
    page.server.silent.add('join');
    page.session.connect('1234', 'token');
    page.world.pass(15_000);
    await page.calm();
    expect(page.log).toEqual(['exception 1008']);
    expect(page.session.currentState).toBe('disconnected');
  });

  test('and connecting at once again makes a second connection after the first has ended', async () => {
    const { page } = await inACall(v2);
    void page.session.disconnect();
    page.session.connect('token');
    await page.calm();
    expect(page.log.filter((line) => /session(Dis)?[cC]onnected/.test(line))).toEqual([
      'session sessionDisconnected clientDisconnected',
      'session sessionConnected',
    ]);
    expect(page.world.sockets).toHaveLength(2);
  });

  test('closing the page says goodbye and tells nothing', async () => {
    const { page } = await inACall(v2);
    page.session._goodbye();
    await page.calm();
    expect(page.world.socket.of('leave')).toHaveLength(1);
    expect(page.log).toEqual([]);
  });
});

describe('an interruption', () => {
  async function interrupted(era: typeof v1): Promise<FakePage> {
    const page = await new FakePage(era).connected();
    page.world.socket.end();
    page.world.pass(0);
    await page.calm();
    page.server.notice({ type: 'resumed', resumeKey: 'k', epoch: 1, bindings: [] });
    await page.calm();
    return page;
  }

  test('is told in the second era', async () => {
    expect((await interrupted(v2)).log).toEqual(['session sessionReconnecting', 'session sessionReconnected']);
  });

  test('is silent in the first', async () => {
    expect((await interrupted(v1)).log).toEqual([]);
  });

  test('that lasts too long ends the connection as networkDisconnected', async () => {
    const page = await new FakePage(v2).connected();
    page.world.onSocket = (socket) => {
      socket.end();
    };
    page.world.socket.end();
    page.world.pass(61_000);
    await page.calm();
    expect(page.log).toEqual(['session sessionReconnecting', 'session sessionDisconnected networkDisconnected']);
  });
});

describe('unpublishing', () => {
  test.each([
    [
      'unpublish()',
      'clientDisconnected',
      ({ page, publisher }: { page: FakePage; publisher: Publisher }) => {
        page.session.unpublish(publisher);
      },
    ],
    [
      'destroy()',
      'clientDisconnected',
      ({ publisher }: { publisher: Publisher }) => {
        publisher.destroy();
        publisher.destroy();
      },
    ],
    [
      'a moderator',
      'forceUnpublished',
      ({ page, publisher }: { page: FakePage; publisher: Publisher }) => {
        page.server.tell({
          type: 'streamDestroyed',
          streamId: publisher.streamId,
          connectionId: 'bob',
          reason: 'forceUnpublished',
        });
      },
    ],
  ] as const)('by %s tells the Publisher once and takes it away', async (_name, reason, cause) => {
    const call = await inACall(v2);
    cause(call);
    await call.page.calm();
    expect(call.page.log.filter((line) => line.startsWith('publisher streamDestroyed'))).toEqual([
      `publisher streamDestroyed ${reason}`,
    ]);
    expect(call.page.log.filter((line) => line.startsWith('publisher destroyed'))).toHaveLength(1);
    expect(document.querySelectorAll('.OT_publisher')).toHaveLength(0);
    expect(call.page.session.connected).toBe(true);
    expect(call.page.devices.opened.every(({ readyState }) => readyState === 'ended')).toBe(true);
  });

  test('in the first era is told on the Session', async () => {
    const { page, publisher } = await inACall(v1);
    page.session.unpublish(publisher);
    await page.calm();
    expect(page.log.filter((line) => line.startsWith('session'))).toEqual([
      'session streamDestroyed clientDisconnected',
    ]);
    expect(document.querySelectorAll('.OT_publisher')).toHaveLength(0);
  });

  test('prevented keeps the preview and its capture', async () => {
    const { page, publisher } = await inACall(v2);
    publisher.on('streamDestroyed', (event: StreamEvent) => {
      event.preventDefault();
    });
    page.session.unpublish(publisher);
    await page.calm();
    expect(document.querySelectorAll('.OT_publisher')).toHaveLength(1);
    expect(page.devices.opened.every(({ readyState }) => readyState === 'live')).toBe(true);
  });

  test('before the stream is registered ends it as soon as it is', async () => {
    const page = await new FakePage(v2).connected();
    page.server.silent.add('publish');
    const publisher = page.OT.initPublisher('me');
    page.session.publish(publisher);
    await page.calm();
    page.session.unpublish(publisher);
    page.server.notice({ type: 'reply', id: 2, result: { answer: 'A', stream: stream('mine', 'bob') } });
    await page.calm();
    expect(page.world.socket.of('unpublish')).toMatchObject([{ streamId: 'mine' }]);
  });

  test('when the camera is unplugged is mediaStopped, for everybody', async () => {
    const { page, publisher } = await inACall(v2);
    page.listen(publisher, 'publisher', ['mediaStopped']);
    page.devices.opened.find(({ kind }) => kind === 'video')?.end();
    await page.calm();
    expect(page.log).toEqual([
      'publisher mediaStopped',
      'publisher streamDestroyed mediaStopped',
      'publisher destroyed mediaStopped',
    ]);
    expect(page.world.socket.of('unpublish')).toMatchObject([{ reason: 'mediaStopped' }]);
  });
});

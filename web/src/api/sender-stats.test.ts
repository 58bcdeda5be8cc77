import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { v2 } from '../eras/index.ts';
import { FakePage, inACall } from '../testing/index.ts';
import { PublisherSenderStats } from './publisher-sender-stats.ts';

beforeEach(() => {
  document.body.innerHTML = '<div id="me"></div><div id="them"></div>';
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  document.body.innerHTML = '';
});

/** What a page that publishes with these properties says of its network in so many seconds. */
async function reported(properties: object, seconds: number): Promise<{ page: FakePage; end: () => Promise<void> }> {
  const page = await new FakePage(v2).connected();
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const publisher = page.OT.initPublisher('me', properties);
  page.session.publish(publisher);
  await page.calm();
  await page.flows();
  await vi.advanceTimersByTimeAsync(seconds * 1000);
  await page.calm();
  return {
    page,
    end: async () => {
      page.session.unpublish(publisher);
      await page.calm();
    },
  };
}

test('a publisher with publishSenderStats says every two seconds what its network bears, until it ends', async () => {
  const { page, end } = await reported({ publishSenderStats: true, audioBitrate: 40_000 }, 4);
  const said = { type: 'senderStats', streamId: 'own-1', maxAllocatedBitrate: 40_000, estimatedBandwidth: 0 };
  expect(page.world.socket.of('senderStats')).toEqual([said, said]);
  const frame = page.world.socket.sent.find(([, , { type }]) => type === 'senderStats');
  expect(frame?.[0]).toBe(0);
  await end();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(page.world.socket.of('senderStats')).toHaveLength(2);
});

test('a publisher without it says nothing', async () => {
  const { page } = await reported({}, 10);
  expect(page.world.socket.of('senderStats')).toEqual([]);
});

test('while there is no socket nothing is said, and nothing of it is said later', async () => {
  const { page } = await reported({ publishSenderStats: true }, 2);
  const { socket } = page.world;
  socket.end();
  await vi.advanceTimersByTimeAsync(6_000);
  page.server.silent.add('resume');
  page.world.pass(1_000);
  await page.calm();
  expect(page.world.sockets.flatMap((one) => one.of('senderStats'))).toHaveLength(1);
});

test('what is read after the end of the stream is not told', async () => {
  vi.useFakeTimers();
  const told: unknown[] = [];
  let answer: (estimates: { maxAllocatedBitrate: number; estimatedBandwidth: number }) => void = () => undefined;
  const stats = new PublisherSenderStats(
    {
      read: () => new Promise((resolve) => (answer = resolve)),
      tell: (estimates) => told.push(estimates),
    },
    true,
  );
  stats.begin();
  await vi.advanceTimersByTimeAsync(2_000);
  stats.end();
  stats.begin();
  answer({ maxAllocatedBitrate: 1, estimatedBandwidth: 1 });
  await vi.advanceTimersByTimeAsync(0);
  expect(told).toEqual([]);
  stats.end();
});

test("a Subscriber's statistics hold the newest that was said, and nothing of it before", async () => {
  const { page, subscriber } = await inACall(v2);
  page.server.notice({ type: 'bound', binding: { subscriptionId: 1, epoch: 1, slot: 0, generation: 1 } });
  await page.calm();
  expect(await subscriber.getStats()).not.toHaveProperty('senderStats');
  for (const estimatedBandwidth of [900_000, 800_000])
    page.server.notice({
      type: 'senderStats',
      subscriptionId: 1,
      maxAllocatedBitrate: 1_740_000,
      estimatedBandwidth,
    });
  page.server.notice({ type: 'senderStats', subscriptionId: 2, maxAllocatedBitrate: 1, estimatedBandwidth: 1 });
  await page.calm();
  expect((await subscriber.getStats()).senderStats).toEqual({
    connectionMaxAllocatedBitrate: 1_740_000,
    connectionEstimatedBandwidth: 800_000,
  });
});

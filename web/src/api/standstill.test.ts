import { afterEach, beforeEach, expect, test } from 'vitest';
import { v2 } from '../eras/index.ts';
import { inACall } from '../testing/index.ts';

beforeEach(() => {
  document.body.innerHTML = '<div id="me"></div><div id="them"></div>';
});
afterEach(() => {
  document.body.innerHTML = '';
});

test('of a subscription whose video stands still the server is told, and of no other slot', async () => {
  const { page } = await inACall(v2);
  page.server.notice({ type: 'bound', binding: { subscriptionId: 1, epoch: 1, slot: 0, generation: 1 } });
  await page.calm();
  const peer = page.world.peers.made.at(-1);
  if (peer === undefined) throw new Error('no peer was made');
  peer.standstills = [1];
  page.world.pass(500);
  await page.calm();
  expect(page.world.socket.of('videoStalled')).toEqual([]);
  peer.standstills = [0];
  page.world.pass(500);
  await page.calm();
  expect(page.world.socket.of('videoStalled')).toEqual([{ type: 'videoStalled', subscriptionId: 1 }]);
});

/** Bob's page in the middle of a call with Ann. */
import type { Era } from '../api/index.ts';
import type { Publisher } from '../api/publisher.ts';
import type { Subscriber } from '../api/subscriber.ts';
import { FakePage } from './fake-page.ts';
import { joined, stream } from './samples.ts';

/** Ann was there before, and publishes. */
export const WITH_ANN = joined({ streams: [stream('of-ann', 'ann')] });

/** A page that is connected, publishes and subscribes to Ann's stream. */
export async function inACall(era: Era): Promise<{ page: FakePage; publisher: Publisher; subscriber: Subscriber }> {
  const page = new FakePage(era);
  page.server.greeting = WITH_ANN;
  await page.connected();
  const publisher = page.session.publish('me', { name: 'Bob' }) as Publisher;
  page.listen(publisher, 'publisher', ['streamCreated', 'streamDestroyed', 'destroyed']);
  const them =
    era.name === 'v1' ? Object.values(page.session.streams)[0] : (page.session.streams as { find(): unknown }).find();
  const subscriber = page.session.subscribe(them, 'them') as Subscriber;
  page.listen(subscriber, 'subscriber', ['connected', 'disconnected', 'destroyed']);
  await page.calm();
  await page.flows();
  page.takeLog();
  return { page, publisher, subscriber };
}

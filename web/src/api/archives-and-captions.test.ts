import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { v1, v2 } from '../eras/index.ts';
import { FakePage, inACall, joined } from '../testing/index.ts';
import type { ArchiveEvent, CaptionReceivedEvent } from './events.ts';

const ARCHIVE = { id: 'of-monday', name: 'Monday' };

beforeEach(() => {
  document.body.innerHTML = '<div id="me"></div><div id="them"></div>';
});
afterEach(() => {
  vi.unstubAllGlobals();
  document.body.innerHTML = '';
});

const recording = (): boolean => document.querySelector('#me .OT_archiving-on') !== null;

describe('an archive of the session', () => {
  test('is told, and lights the recording light while it runs', async () => {
    const { page } = await inACall(v2);
    page.listen(page.session, 'session', ['archiveStarted', 'archiveStopped']);
    page.server.tell({ type: 'archiveStarted', archive: ARCHIVE });
    await page.calm();
    expect(page.last<ArchiveEvent>('archiveStarted')).toMatchObject({ ...ARCHIVE, target: page.session });
    expect(recording()).toBe(true);
    page.server.tell({ type: 'archiveStarted', archive: { id: 'another' } });
    page.server.tell({ type: 'archiveStopped', archive: ARCHIVE });
    await page.calm();
    expect(page.last<ArchiveEvent>('archiveStopped')).toMatchObject(ARCHIVE);
    expect(recording()).toBe(true);
    page.server.tell({ type: 'archiveStopped', archive: { id: 'another' } });
    await page.calm();
    expect(recording()).toBe(false);
  });

  test('that runs already is told after who is there, and once', async () => {
    const page = new FakePage(v2);
    page.server.greeting = joined({ archives: [ARCHIVE], muted: true });
    page.listen(page.session, 'session', ['archiveStarted', 'muteForced']);
    page.session.connect('token');
    await page.calm();
    expect(page.takeLog().slice(-2)).toEqual(['session archiveStarted', 'session muteForced']);
    page.server.tell({ type: 'archiveStarted', archive: ARCHIVE });
    await page.calm();
    expect(page.takeLog()).toEqual([]);
  });

  test('is not told to a page of the first era in this way', async () => {
    const { page } = await inACall(v1);
    page.listen(page.session, 'session', ['archiveStarted']);
    page.server.tell({ type: 'archiveStarted', archive: ARCHIVE });
    await page.calm();
    expect(page.takeLog()).toEqual([]);
    expect(recording()).toBe(true);
  });
});

test('captions are told to a Subscriber that wants them', async () => {
  const { page, subscriber } = await inACall(v2);
  page.listen(subscriber, 'subscriber', ['captionReceived']);
  const speak = async (caption: string): Promise<void> => {
    page.server.notice({ type: 'caption', subscriptionId: 1, caption, isFinal: false });
    await page.calm();
  };
  await speak('unheard');
  expect(page.takeLog()).toEqual([]);
  await subscriber.subscribeToCaptions(true);
  await speak('good mor');
  const { streamId, caption, isFinal } = page.last<CaptionReceivedEvent>('captionReceived');
  expect({ streamId, caption, isFinal }).toEqual({ streamId: 'of-ann', caption: 'good mor', isFinal: false });
});

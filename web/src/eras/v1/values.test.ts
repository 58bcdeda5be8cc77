import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakePage, joined, stream } from '../../testing/index.ts';
import { v1 } from '../index.ts';
import type { CapabilitiesV1, StreamV1 } from './values.ts';

beforeEach(() => {
  document.body.innerHTML = '<div id="me"></div>';
});
afterEach(() => {
  vi.unstubAllGlobals();
  document.body.innerHTML = '';
});

function streamsOf(page: FakePage): Record<string, StreamV1> {
  return page.session.streams as object as Record<string, StreamV1>;
}

test('a Stream has a quality, which follows the size of its picture', async () => {
  const page = new FakePage(v1);
  page.server.greeting = joined({ streams: [stream('of-ann', 'ann')] });
  await page.connected();
  const known = streamsOf(page)['of-ann'];
  const { width, height } = stream('of-ann', 'ann').videoDimensions;
  expect(known?.quality).toEqual({ encodedWidth: width, encodedHeight: height });
  expect(known?.orientation).toEqual({ videoOrientation: 'OTVideoOrientationRotatedNormal', width, height });
  page.server.tell({
    type: 'streamPropertyChanged',
    streamId: 'of-ann',
    property: 'videoDimensions',
    oldValue: { width, height },
    newValue: { width: 10, height: 20 },
  });
  await page.calm();
  expect(page.log).toEqual(['session streamPropertyChanged', 'session streamPropertyChanged']);
  expect(page.last('streamPropertyChanged')).toMatchObject({
    changedProperty: 'quality',
    oldValue: { encodedWidth: width, encodedHeight: height },
    newValue: { encodedWidth: 10, encodedHeight: 20 },
  });
});

test('who has no camera and no microphone cannot publish, whatever the role says', async () => {
  const page = new FakePage(v1);
  page.devices.list.length = 0;
  page.OT.checkSystemRequirements();
  const { watchEquipment } = await import('./equipment.ts');
  watchEquipment();
  await page.calm();
  await page.connected();
  expect((page.session.capabilities as CapabilitiesV1).publish).toBe(0);
  expect((page.session.capabilities as CapabilitiesV1).subscribe).toBe(1);
});

import { expect, test } from 'vitest';

import { Standstills } from './standstill.ts';

test('the line is named whose packets come and whose frames do not, once', () => {
  const standstills = new Standstills();
  const named = [];
  for (let n = 1; n <= 8; n += 1) {
    const line = { type: 'inbound-rtp', timestamp: 500 * n, packetsReceived: 25 * n };
    named.push(
      ...standstills.note([
        { ...line, kind: 'audio', mid: '0', framesDecoded: 0 },
        { ...line, kind: 'video', mid: '1', framesDecoded: n },
        { ...line, kind: 'video', mid: '3', framesDecoded: 1 },
        { ...line, kind: 'video', mid: '5' },
        { ...line, kind: 'video' },
      ]),
    );
  }
  expect(named).toEqual(['3']);
});

import { expect, test } from 'vitest';
import { pathSample } from './statistics.ts';

const OTHER = { id: 'P0', type: 'candidate-pair', bytesReceived: 1 };

test('Chromium names the pair in its transport and counts checks', () => {
  const pair = {
    id: 'P1',
    type: 'candidate-pair',
    bytesReceived: 5000,
    requestsSent: 12,
    responsesReceived: 11,
    currentRoundTripTime: 0.025,
  };
  const report = [OTHER, pair, { id: 'T', type: 'transport', selectedCandidatePairId: 'P1' }];
  expect(pathSample(report)).toEqual({
    pair: 'P1',
    bytesReceived: 5000,
    checks: { sent: 12, answered: 11, roundTripMs: 25 },
  });
});

test('Firefox marks the pair itself and counts no checks', () => {
  const report = [OTHER, { id: 'P1', type: 'candidate-pair', selected: true, bytesReceived: 7 }];
  expect(pathSample(report)).toEqual({ pair: 'P1', bytesReceived: 7, checks: null });
});

test('without a pair there is no sample', () => {
  expect(pathSample([OTHER, { id: 'T', type: 'transport' }])).toBeNull();
  expect(pathSample([])).toBeNull();
});

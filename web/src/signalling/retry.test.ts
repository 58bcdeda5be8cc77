import { expect, test } from 'vitest';
import { retryDelayMs } from './index.ts';

test('the first retry is made at once, whatever chance says', () => {
  expect(retryDelayMs(0, 0.99)).toBe(0);
});

test('the others double up to five seconds and are shortened by up to half', () => {
  expect([1, 2, 3, 4, 5, 6, 40].map((attempt) => retryDelayMs(attempt, 0))).toEqual([
    300, 600, 1200, 2400, 4800, 5000, 5000,
  ]);
  expect(retryDelayMs(3, 0.999)).toBeGreaterThanOrEqual(600);
  expect(retryDelayMs(3, 0.5)).toBe(900);
});

import { describe, expect, test } from 'vitest';
import { placeTiles, type Place, type Size } from './grid.ts';

const DESKTOP: Size = { width: 900, height: 660 };
const PHONE: Size = { width: 366, height: 620 };

const overlaps = (a: Place, b: Place): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

describe('placeTiles', () => {
  test('gives no place to nobody', () => {
    expect(placeTiles(DESKTOP, 0)).toEqual([]);
  });

  test('keeps every tile on the stage and apart, whatever the stage and the number', () => {
    for (const stage of [DESKTOP, PHONE, { width: 1600, height: 300 }, { width: 320, height: 320 }])
      for (let count = 1; count <= 30; count++) {
        const places = placeTiles(stage, count);
        expect(places).toHaveLength(count);
        for (const [index, place] of places.entries()) {
          expect(place.width).toBeGreaterThan(0);
          expect(place.x).toBeGreaterThanOrEqual(0);
          expect(place.y).toBeGreaterThanOrEqual(0);
          expect(place.x + place.width).toBeLessThanOrEqual(stage.width + 1);
          expect(place.y + place.height).toBeLessThanOrEqual(stage.height + 1);
          expect(places.slice(index + 1).some((other) => overlaps(place, other))).toBe(false);
        }
      }
  });

  test('keeps tiles between 4:3 and 16:9 on a wide stage', () => {
    for (let count = 1; count <= 12; count++) {
      const [tile] = placeTiles(DESKTOP, count) as [Place];
      expect(tile.width / tile.height).toBeGreaterThan(4 / 3 - 0.02);
      expect(tile.width / tile.height).toBeLessThan(16 / 9 + 0.02);
    }
  });

  test('puts two people side by side on a wide stage and one above the other on a phone', () => {
    const [left, right] = placeTiles({ width: 1200, height: 500 }, 2) as [Place, Place];
    expect(right.y).toBe(left.y);
    const [upper, lower] = placeTiles(PHONE, 2) as [Place, Place];
    expect(lower.x).toBe(upper.x);
    expect(lower.y).toBeGreaterThan(upper.y);
  });

  test('fills a phone with upright tiles', () => {
    const [tile] = placeTiles(PHONE, 1) as [Place];
    expect(tile.width).toBe(PHONE.width);
    expect(tile.height / PHONE.height).toBeGreaterThan(0.75);
  });

  test('centres a last row that is not full', () => {
    const [first, second, third] = placeTiles(DESKTOP, 3) as [Place, Place, Place];
    expect(third.y).toBeGreaterThan(first.y);
    const middle = (first.x + second.x + second.width) / 2;
    expect(Math.abs(third.x + third.width / 2 - middle)).toBeLessThanOrEqual(1);
  });

  test('shrinks to nothing on a stage without room', () => {
    for (const place of placeTiles({ width: 0, height: 0 }, 2)) expect(place.width * place.height).toBe(0);
  });
});

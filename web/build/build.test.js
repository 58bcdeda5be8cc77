// @vitest-environment node
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkOwn } from './bundle.js';
import { checkSize, integrityOf, LIMIT_BYTES, report } from './weigh.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(resolve(tmpdir(), 'weigh-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A script that gzip cannot make smaller. */
function script(bytes) {
  const path = resolve(folder, 'heavy.js');
  writeFileSync(path, randomBytes(bytes));
  return path;
}

test('a script above the limit fails the build with its figure and where to look', () => {
  expect(() => checkSize(script(LIMIT_BYTES + 1000))).toThrow(/heavy\.js weighs 71\d{3} bytes.*source map/);
  expect(() => checkSize(script(LIMIT_BYTES - 1000))).not.toThrow();
});

test("a bundle with somebody else's module fails the build with the module's name", () => {
  const own = resolve(import.meta.dirname, '../src/index.ts');
  const chunk = { moduleIds: [own, '\0rolldown/runtime.js'], imports: [], dynamicImports: [] };
  expect(() => checkOwn(chunk, 'a.js')).not.toThrow();
  const foreign = resolve(import.meta.dirname, '../node_modules/lit/index.js');
  expect(() => checkOwn({ ...chunk, moduleIds: [own, foreign] }, 'a.js')).toThrow('node_modules/lit/index.js');
  expect(() => checkOwn({ ...chunk, imports: ['lit'] }, 'a.js')).toThrow('lit');
});

test('the report has the hash that pins a script', () => {
  const path = resolve(folder, 'small.js');
  writeFileSync(path, 'abc');
  // The SHA-384 of "abc", of FIPS 180-4's examples.
  const digest = 'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7';
  expect(integrityOf(path)).toBe(`sha384-${Buffer.from(digest, 'hex').toString('base64')}`);
  expect(report(path)).toContain(integrityOf(path));
});

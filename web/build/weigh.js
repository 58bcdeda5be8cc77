// What a script weighs on the wire, and the hash by which a page pins it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gzipSync } from 'node:zlib';

/** What a script may weigh with gzip, in bytes: a page waits for it before anything else happens. */
export const LIMIT_BYTES = 70_000;

/** @throws {Error} if the script at `path` is heavier than the limit. */
export function checkSize(path) {
  const weight = gzipSync(readFileSync(path)).length;
  if (weight > LIMIT_BYTES)
    throw new Error(
      `${basename(path)} weighs ${weight} bytes with gzip, ${weight - LIMIT_BYTES} above the limit of ${LIMIT_BYTES}. ` +
        'Look at the largest sources in its source map, and at what the last changes import.',
    );
}

/** The integrity value of the file at `path`, as in the attribute of a script element. */
export function integrityOf(path) {
  return `sha384-${createHash('sha384').update(readFileSync(path)).digest('base64')}`;
}

/** One line on the script at `path`. */
export function report(path) {
  const script = readFileSync(path);
  const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
  return `dist/${basename(path)}: ${kib(script.length)}, ${kib(gzipSync(script).length)} with gzip, ${integrityOf(path)}`;
}

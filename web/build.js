// Builds everything that a browser loads into dist/ and prints the size of the client script:
//   tertulia.js       one script for a script tag      tertulia.mjs, tertulia.cjs   the npm package's two modules
//   tertulia-encryption.js    the worker that encrypts, which the three above carry within themselves as well
//   pages/            the pages and their assets (vite.config.js)
// Everything is built aside and then put in place at once, so that a running server never serves half a build.
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { pageEntries } from './vite.config.js';

const root = import.meta.dirname;
const dist = resolve(root, 'dist');
const fresh = resolve(root, 'node_modules/.dist');
const stale = resolve(root, 'node_modules/.dist-before');
const WORKER = { format: 'iife', entry: 'src/encryption/worker.ts', file: 'tertulia-encryption.js' };
const OUTPUTS = [
  { format: 'iife', entry: 'src/index.ts', file: 'tertulia.js' },
  { format: 'es', entry: 'src/module.ts', file: 'tertulia.mjs' },
  { format: 'cjs', entry: 'src/module.ts', file: 'tertulia.cjs' },
];

for (const folder of [fresh, stale]) rmSync(folder, { recursive: true, force: true });
/** One entry as one file; `define` replaces names by values. */
async function bundle({ format, entry, file }, define = {}) {
  await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    define,
    build: {
      outDir: fresh,
      emptyOutDir: false,
      target: 'es2022',
      minify: true,
      sourcemap: true,
      lib: { entry: resolve(root, entry), name: 'Tertulia', formats: [format], fileName: () => file },
    },
  });
}

await bundle(WORKER);
const worker = readFileSync(resolve(fresh, WORKER.file), 'utf-8').replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '');
for (const output of OUTPUTS) await bundle(output, { ENCRYPTION_WORKER: JSON.stringify(worker) });
if (pageEntries().length > 0) {
  await build({
    configFile: resolve(root, 'vite.config.js'),
    logLevel: 'warn',
    build: { outDir: resolve(fresh, 'pages') },
  });
}
if (existsSync(dist)) renameSync(dist, stale);
renameSync(fresh, dist);
rmSync(stale, { recursive: true, force: true });

const script = readFileSync(resolve(dist, 'tertulia.js'));
const size = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
console.log(`dist/tertulia.js: ${size(script.length)}, ${size(gzipSync(script).length)} with gzip`);

// Builds everything that a browser loads into dist/ and prints the size of the client script:
//   tertulia.js       one script for a script tag      tertulia.mjs, tertulia.cjs   the npm package's two modules
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
const OUTPUTS = [
  { format: 'iife', entry: 'src/index.ts', file: 'tertulia.js' },
  { format: 'es', entry: 'src/module.ts', file: 'tertulia.mjs' },
  { format: 'cjs', entry: 'src/module.ts', file: 'tertulia.cjs' },
];

for (const folder of [fresh, stale]) rmSync(folder, { recursive: true, force: true });
for (const { format, entry, file } of OUTPUTS) {
  await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
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

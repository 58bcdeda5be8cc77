// Builds everything that a browser loads into dist/:
//   tertulia.js            the script for a script tag, the style sheet in it
//   tertulia-no-style.js   the same for strict content policies: the page links tertulia.css, which comes with icons/
//   tertulia-encryption.js the worker that encrypts, which all the others carry within themselves as well
//   package/, tertulia.tgz the npm package, as a folder and as npm packs it
//   pages/                 the pages and their assets (vite.config.js)
// and prints what the scripts weigh, with the hash by which a page pins one.
// Everything is built aside and then put in place at once, so that a running server never serves half a build.
import { copyFileSync, cpSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { build } from 'vite';
import { bundle } from './build/bundle.js';
import { makePackage } from './build/package.js';
import { checkSize, report } from './build/weigh.js';
import { pageEntries } from './vite.config.js';

const root = import.meta.dirname;
const dist = resolve(root, 'dist');
const fresh = resolve(root, 'node_modules/.dist');
const stale = resolve(root, 'node_modules/.dist-before');
const packed = resolve(fresh, 'package');

for (const folder of [fresh, stale]) rmSync(folder, { recursive: true, force: true });

const worker = 'tertulia-encryption.js';
await bundle({ entry: 'src/encryption/worker.ts', format: 'iife', folder: fresh, file: worker });
const program = readFileSync(resolve(fresh, worker), 'utf-8').replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '');
const define = { ENCRYPTION_WORKER: JSON.stringify(program) };

const scripts = ['tertulia.js', 'tertulia-no-style.js'];
for (const file of scripts)
  await bundle({ entry: 'src/index.ts', format: 'iife', folder: fresh, file, style: file === 'tertulia.js', define });
for (const name of ['index', 'no-style']) {
  const style = name === 'index';
  await bundle({ entry: 'src/package/index.ts', format: 'es', folder: packed, file: `${name}.mjs`, style, define });
  await bundle({ entry: 'src/package/commonjs.ts', format: 'cjs', folder: packed, file: `${name}.cjs`, style, define });
}
copyFileSync(resolve(root, 'src/dom/widget.css'), resolve(fresh, 'tertulia.css'));
cpSync(resolve(root, 'src/dom/icons'), resolve(fresh, 'icons'), { recursive: true });
makePackage(root, fresh, packed);
if (pageEntries().length > 0) {
  await build({
    configFile: resolve(root, 'vite.config.js'),
    logLevel: 'warn',
    build: { outDir: resolve(fresh, 'pages') },
  });
}
for (const file of scripts) checkSize(resolve(fresh, file));

if (existsSync(dist)) renameSync(dist, stale);
renameSync(fresh, dist);
rmSync(stale, { recursive: true, force: true });
for (const file of scripts) console.log(report(resolve(dist, file)));

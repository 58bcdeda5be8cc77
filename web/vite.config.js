// The pages: every pages/*.html becomes dist/pages/<name>.html with its assets in dist/pages/assets. Also the test runner.
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Absolute paths of the pages; empty in a checkout without pages. @returns {string[]} */
export function pageEntries() {
  const folder = resolve(import.meta.dirname, 'pages');
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.html'))
      .map((name) => resolve(folder, name));
  } catch {
    return [];
  }
}

/** Puts pages/head.part, which all pages have in their heads, in the place of its mark. @returns {import('vite').Plugin} */
function sharedHead() {
  const file = resolve(import.meta.dirname, 'pages/head.part');
  return {
    name: 'shared-head',
    transformIndexHtml: {
      order: 'pre',
      handler: (html) => html.replace('    <!-- head -->\n', () => readFileSync(file, 'utf-8')),
    },
  };
}

const TESTS = ['src/**/*.test.ts', 'pages/**/*.test.ts', 'build/**/*.test.js'];
const WITH_DOCUMENT = [
  'src/*.test.ts',
  'src/{api,dom,eras}/**/*.test.ts',
  'src/signalling/link.test.ts',
  'src/package/index.test.ts',
  'pages/playground/call.test.ts',
];

export default defineConfig({
  plugins: [sharedHead()],
  root: resolve(import.meta.dirname, 'pages'),
  // Beside the page: it may stand below a path of an application that has mounted the server.
  base: './',
  build: {
    outDir: resolve(import.meta.dirname, 'dist/pages'),
    emptyOutDir: true,
    assetsDir: 'assets',
    target: 'es2022',
    rollupOptions: { input: pageEntries() },
  },
  // Tests read the contract, which lies beside this folder.
  server: { fs: { allow: [resolve(import.meta.dirname, '..')] } },
  test: {
    root: import.meta.dirname,
    css: { include: /widget\.css/ },
    restoreMocks: true,
    // Making a document takes longer than most files of tests; what touches none does without.
    projects: [
      { extends: true, test: { name: 'document', include: WITH_DOCUMENT, environment: 'happy-dom' } },
      { extends: true, test: { name: 'plain', include: TESTS, exclude: WITH_DOCUMENT, environment: 'node' } },
    ],
  },
});

// The npm package: the two modules with and without the style sheet, the types, the style sheet, and npm's tarball of them.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import bundler from 'dts-bundle-generator';

/** Adds what `packed` still lacks and makes `fresh`/tertulia.tgz of it. `root` is the folder web/. */
export function makePackage(root, fresh, packed) {
  const types = declarations(root);
  for (const name of ['index.d.ts', 'index.d.mts', 'index.d.cts']) writeFileSync(resolve(packed, name), types);
  copyFileSync(resolve(fresh, 'tertulia.css'), resolve(packed, 'style.css'));
  cpSync(resolve(fresh, 'icons'), resolve(packed, 'icons'), { recursive: true });
  copyFileSync(resolve(root, '../LICENSE'), resolve(packed, 'LICENSE'));
  copyFileSync(resolve(root, 'package.md'), resolve(packed, 'README.md'));
  writeFileSync(resolve(packed, 'package.json'), `${JSON.stringify(manifest(root), null, 2)}\n`);
  const told = execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', fresh, packed], {
    encoding: 'utf-8',
  });
  const [{ filename }] = JSON.parse(told);
  renameSync(resolve(fresh, filename), resolve(fresh, 'tertulia.tgz'));
}

function declarations(root) {
  const entry = {
    filePath: resolve(root, 'src/package/declarations.ts'),
    output: { noBanner: true, exportReferencedTypes: false, umdModuleName: 'OT' },
  };
  const [text] = bundler.generateDtsBundle([entry], {
    preferredConfigPath: resolve(root, 'tsconfig.json'),
    followSymlinks: false,
  });
  return text;
}

function manifest(root) {
  const { name, version, description, license } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf-8'));
  const both = (file) => ({
    import: { types: './index.d.mts', default: `./${file}.mjs` },
    require: { types: './index.d.cts', default: `./${file}.cjs` },
  });
  return {
    name,
    version,
    description,
    license,
    main: './index.cjs',
    module: './index.mjs',
    types: './index.d.ts',
    style: './style.css',
    exports: {
      '.': both('index'),
      './no-style': both('no-style'),
      './style.css': './style.css',
      './package.json': './package.json',
    },
  };
}

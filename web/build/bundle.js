// One entry of src/ as one file. Nothing that is not our own gets in.
import { relative, resolve, sep } from 'node:path';
import { build } from 'vite';

const root = resolve(import.meta.dirname, '..');
const own = resolve(root, 'src') + sep;

/**
 * Bundles `entry` as `folder`/`file`. `style` false leaves the style sheet out; `define` replaces names by values.
 * @param {{ entry: string, format: 'iife' | 'es' | 'cjs', folder: string, file: string, style?: boolean,
 *   define?: Record<string, string> }} options
 * @throws {Error} if a module of somebody else's is in the bundle
 */
export async function bundle({ entry, format, folder, file, style = true, define = {} }) {
  const outputs = await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: 'warn',
    define,
    plugins: style ? [] : [withoutStyle],
    build: {
      outDir: folder,
      emptyOutDir: false,
      target: 'es2022',
      minify: true,
      sourcemap: true,
      lib: { entry: resolve(root, entry), name: 'Tertulia', formats: [format], fileName: () => file },
      // A CommonJS module is its default export, as `require` expects.
      rollupOptions: format === 'cjs' ? { output: { exports: 'default' } } : {},
    },
  });
  for (const { output } of [outputs].flat())
    for (const chunk of output) if (chunk.type === 'chunk') checkOwn(chunk, file);
}

/** Every module that went into `chunk` is a file below src/, or glue that the bundler writes (its ids begin with NUL). */
export function checkOwn({ moduleIds, imports, dynamicImports }, file) {
  const foreign = moduleIds.filter((id) => !id.startsWith(own) && !id.startsWith('\0'));
  const all = [...foreign.map((id) => relative(root, id)), ...imports, ...dynamicImports];
  if (all.length > 0)
    throw new Error(
      `${file} must hold nothing but what is in web/src, yet it has ${all.join(', ')}: write it or do without.`,
    );
}

const NO_STYLE = '\0no-style';
const withoutStyle = {
  name: 'without-style',
  enforce: 'pre',
  resolveId: (source) => (source.endsWith('/widget.css?inline') ? NO_STYLE : null),
  load: (id) => (id === NO_STYLE ? 'export default ""' : null),
};

import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Folders under src that a folder may import from; anything else is a breach of the layering. */
const LAYERS = {
  core: ['wire'],
  wire: [],
  encryption: [],
  signalling: ['wire'],
  rtc: ['core', 'wire', 'encryption'],
  dom: [],
  engine: ['core', 'wire', 'encryption', 'signalling', 'rtc'],
  api: ['core', 'wire', 'encryption', 'engine', 'rtc', 'dom'],
  eras: ['api', 'core', 'wire', 'dom', 'rtc'],
};

const FOLDERS = Object.keys(LAYERS);

const layering = FOLDERS.map((folder) => ({
  files: [`src/${folder}/**/*.ts`],
  ignores: ['**/*.test.ts'],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: FOLDERS.filter((other) => other !== folder && !LAYERS[folder].includes(other)).map((other) => ({
          group: [`**/${other}/**`, `**/${other}`],
          message: `src/${folder} knows nothing of src/${other}.`,
        })),
      },
    ],
  },
}));

/** What a pure module may not touch: everything it decides on arrives in its inputs. */
const IMPURE = [
  'window',
  'document',
  'navigator',
  'location',
  'setTimeout',
  'setInterval',
  'queueMicrotask',
  'WebSocket',
  'RTCPeerConnection',
  'fetch',
  'performance',
  'crypto',
  'console',
  'Date',
];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-extraneous-class': 'off', // a custom element or an error class may be empty
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-console': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  { files: ['*.js', 'build/*.js'], languageOptions: { globals: { Buffer: 'readonly', console: 'readonly' } } },
  ...layering,
  {
    files: ['src/core/**/*.ts', 'src/wire/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...IMPURE.map((name) => ({ name, message: 'core and wire are pure: pass it in.' })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'core and wire are pure: pass it in.' },
      ],
    },
  },
);

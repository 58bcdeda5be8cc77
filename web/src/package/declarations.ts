/**
 * What the package's `index.d.ts` is made of. The default export is declared as the names, which it has as members: so
 * `OT.Session` is a type with every form of import.
 */
export * from './names.ts';
export * as default from './names.ts';

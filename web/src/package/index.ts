/** The npm package as an ES module: `OT` as default export, its members by name. */
export * from './names.ts';
export { OT as default } from './opentok.ts';

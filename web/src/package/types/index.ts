/**
 * The API as applications written in TypeScript see it: what is documented, with the argument forms that are documented.
 *
 * The objects take more than these types allow, because older applications pass all kinds of things; `../index.ts` hands
 * them out under these types, so that the compiler holds one to the other. Type names are those that applications use.
 */
export type * from './devices.ts';
export type * from './events.ts';
export type * from './handlers.ts';
export type * from './media.ts';
export type * from './opentok.ts';
export type * from './options.ts';
export type * from './publisher.ts';
export type * from './session.ts';
export type * from './subscriber.ts';
export type * from './values.ts';

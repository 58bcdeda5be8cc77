/** What tests put in place of the world: a clock, sockets, a server with a script. Never part of the product. */
export { FakeSocket, FakeWorld } from './fake-world.ts';
export { FakeStream, FakeTrack, stubMedia } from './fake-media.ts';
export { API_KEY, FakePage, SESSION_ID } from './fake-page.ts';
export { FakeServer } from './fake-server.ts';
export { inACall, WITH_ANN } from './in-a-call.ts';
export { ANN, BOB, errorOf, joined, stream } from './samples.ts';
export { settled } from './settled.ts';

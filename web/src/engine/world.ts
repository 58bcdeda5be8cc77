/** The browser as the engine sees it: sockets, clock, timers, chance, peer connections. */
import { FrameEncryption, workerAddresses, type EncryptionWorker } from '../encryption/index.ts';
import { makeRtcPeer } from '../rtc/index.ts';
import type { EngineWorld } from './engine.ts';

/** The real world of a page. */
export const browserWorld: EngineWorld = {
  openSocket: (url) => new WebSocket(url),
  now: () => performance.now(),
  after: (milliseconds, run) => setTimeout(run, milliseconds),
  cancel: (timer) => {
    clearTimeout(timer as number);
  },
  random: Math.random,
  makePeer: makeRtcPeer,
  makeEncryption: (address) =>
    new FrameEncryption(
      workerAddresses(address),
      (from) => new Worker(from) as EncryptionWorker,
      (milliseconds, run) => setTimeout(run, milliseconds),
    ),
};

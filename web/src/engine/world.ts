/** The browser as the engine sees it: sockets, clock, timers, chance, peer connections. */
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
};

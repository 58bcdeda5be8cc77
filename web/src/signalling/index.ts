/** One client's connection to control, over however many sockets it takes: requests, heartbeat, resume. */
export { SignallingLink } from './link.ts';
export type { LinkHandlers, Surroundings, Timer } from './link.ts';
export { retryDelayMs } from './retry.ts';

/** The signalling wire: the shapes of contract/signalling.yaml, and frames to text and back. Knows no rule. */
export * from './messages.ts';
export { encodeFrame, isResult, parseFrame } from './frames.ts';
export type { ServerFrame } from './frames.ts';

/** Frames: `[id, ack, body]` to the server, `[number, body]` from it, as JSON text. */
import type { ClientBody, RequestType, ServerBody } from './messages.ts';
import { RESULT_SHAPES, SERVER_SHAPES } from './shapes.ts';

export interface ServerFrame {
  /** Place in the session's log; 0 for what is not in the log. */
  readonly number: number;
  readonly body: ServerBody;
}

/**
 * The text of a frame to the server.
 *
 * `id` counts this connection's requests from 1 and is 0 for `join`, `resume`, `ping` and `pong`; `ack` is the highest
 * event number handled.
 */
export function encodeFrame(id: number, ack: number, body: ClientBody): string {
  return JSON.stringify([id, ack, body]);
}

/** The frame in `text`; null when it is malformed or of a type that this version does not know. */
export function parseFrame(text: string): ServerFrame | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(value) || value.length < 2) return null;
  const [number, body] = value as readonly unknown[];
  if (!Number.isInteger(number) || typeof body !== 'object' || body === null) return null;
  const type: unknown = (body as { type?: unknown }).type;
  if (typeof type !== 'string' || !SERVER_SHAPES.get(type)?.(body)) return null;
  return { number: number as number, body: body as ServerBody };
}

/** Whether `result` is what a reply to a request of this type carries. */
export function isResult(type: RequestType, result: unknown): boolean {
  return RESULT_SHAPES.get(type)?.(result) ?? (typeof result === 'object' && result !== null);
}

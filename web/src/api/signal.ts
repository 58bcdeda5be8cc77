/** What a signal may be: checked here so that the mistake is told at once; the server checks again. */
import { OTError } from '../errors.ts';
import type { Properties } from '../options.ts';
import { idOf } from './arguments.ts';

const TYPE_BYTES = 128;
const DATA_BYTES = 8192;

/** Letters, digits, `-`, `_`, `~`; older builds also took the full stop. */
const TYPE_LETTERS = /^[A-Za-z0-9\-_~.]*$/;

/** The fields of a signal request. Throws OT_INVALID_PARAMETER with 400 for what is malformed, 413 for what is too long. */
export function checkSignal({ to, type, data }: Properties): { to?: string; signalType?: string; data?: string } {
  return {
    ...(to === undefined || to === null ? {} : { to: receiver(to) }),
    ...(type === undefined || type === null || type === '' ? {} : { signalType: signalType(type) }),
    ...(data === undefined ? {} : { data: signalData(data) }),
  };
}

function receiver(to: unknown): string {
  const id = idOf(to, 'connectionId');
  if (id === undefined) throw malformed('The receiver of a signal must be a Connection.');
  return id;
}

function signalType(type: unknown): string {
  if (typeof type !== 'string' || !TYPE_LETTERS.test(type)) {
    throw malformed('The type of a signal may hold letters, digits, "-", "_" and "~".');
  }
  if (type.length > TYPE_BYTES) throw tooLong(`The type of a signal is longer than ${TYPE_BYTES} bytes.`);
  return type;
}

function signalData(data: unknown): string {
  if (typeof data !== 'string') throw malformed('The data of a signal must be a string.');
  if (new TextEncoder().encode(data).length > DATA_BYTES)
    throw tooLong(`The data of a signal is longer than ${DATA_BYTES} bytes.`);
  return data;
}

function malformed(message: string): OTError {
  return new OTError('OT_INVALID_PARAMETER', message, 400);
}

function tooLong(message: string): OTError {
  return new OTError('OT_INVALID_PARAMETER', message, 413);
}

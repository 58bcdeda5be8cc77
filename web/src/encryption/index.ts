/** End-to-end encryption of frames: their layout, keys, the worker that applies them, and the page's side of it. */
export { canEncrypt, checkSecret, FrameEncryption } from './frame-encryption.ts';
export type { EncryptionWorker, LineEnd, WorkerFactory } from './frame-encryption.ts';
export { workerAddresses } from './worker-address.ts';

/** Where the encryption worker's program is. */

/** The worker's program, which the build puts here; not there in tests. */
declare const ENCRYPTION_WORKER: string | undefined;

let ofBlob: string | null = null;

/** Addresses to try: the application's own if it named one, else the program that the script carries within itself. */
export function workerAddresses(own: string | null): readonly string[] {
  if (own !== null) return [own];
  if (typeof ENCRYPTION_WORKER === 'undefined' || typeof Blob === 'undefined') return [];
  ofBlob ??= URL.createObjectURL(new Blob([ENCRYPTION_WORKER], { type: 'text/javascript' }));
  return [ofBlob];
}

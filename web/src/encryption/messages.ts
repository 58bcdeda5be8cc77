/** What a page and its encryption worker say to each other. */
import type { Medium } from './layout.ts';

/** Which line a transform works on; `line` is the page's number for it. */
export interface LineOptions {
  readonly line: number;
  readonly direction: 'sent' | 'received';
  readonly medium: Medium;
}

export type ToWorker =
  /** From now on this secret alone holds; answered with `ready` or `failed` of the same number. */
  | { readonly type: 'secret'; readonly number: number; readonly secret: string; readonly sessionId: string }
  /** A line of a browser whose transforms are streams of the page's. */
  | {
      readonly type: 'line';
      readonly options: LineOptions;
      readonly readable: ReadableStream;
      readonly writable: WritableStream;
    }
  /** The frames of that line are judged anew. */
  | { readonly type: 'judge'; readonly line: number };

export type FromWorker =
  | { readonly type: 'ready'; readonly number: number }
  | { readonly type: 'failed'; readonly number: number; readonly message: string }
  /** Whether the line's frames are of this client's secret. */
  | { readonly type: 'verdict'; readonly line: number; readonly matches: boolean };

/** What the first era can record of one stream. */
import { notSupported, Stream } from '../../api/index.ts';

export class RecordableStream extends Stream {
  startRecording(_archive?: unknown): void {
    throw notSupported('startRecording');
  }

  stopRecording(_archive?: unknown): void {
    throw notSupported('stopRecording');
  }
}

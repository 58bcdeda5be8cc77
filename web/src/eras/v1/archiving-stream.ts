/** What the first era can record of one stream. */
import { Stream } from '../../api/index.ts';
import { unknownArchive } from './archiving-session.ts';

/** A page has no archive to record into; see ArchivingSession. */
export class RecordableStream extends Stream {
  startRecording(_archive?: unknown): void {
    throw unknownArchive('Stream', 'startRecording');
  }

  stopRecording(_archive?: unknown): void {
    throw unknownArchive('Stream', 'stopRecording');
  }
}

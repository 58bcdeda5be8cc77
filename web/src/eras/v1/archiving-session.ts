/** What the first era can record of a session, and the state that its members share. */
import { notSupported, Session } from '../../api/index.ts';

export class ArchivingSession extends Session {
  createArchive(..._args: readonly unknown[]): void {
    throw notSupported('createArchive');
  }

  loadArchive(_archiveId?: unknown): void {
    throw notSupported('loadArchive');
  }

  startRecording(_archive?: unknown): void {
    throw notSupported('startRecording');
  }

  stopRecording(_archive?: unknown): void {
    throw notSupported('stopRecording');
  }

  closeArchive(_archive?: unknown): void {
    throw notSupported('closeArchive');
  }

  getStateManager(): never {
    throw notSupported('getStateManager');
  }

  /** Archives that were made for the session and are not closed, for `sessionConnected`. */
  _openArchives(): readonly never[] {
    return [];
  }
}

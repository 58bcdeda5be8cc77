/** The archives of the first era, and the state that the members of a session share. */
import { Session } from '../../api/index.ts';
import { OTError } from '../../errors.ts';
import { misuse } from './exceptions.ts';
import { StateManager } from './state-manager.ts';

const ARCHIVE_TYPES: readonly unknown[] = ['perSession', 'perStream'];
export const NO_ARCHIVES = 'This server keeps no archives of the first generation.';

/**
 * The server records nothing on behalf of pages of this era: what would make or load an archive raises the documented
 * exception, so no page ever holds an archive, and what wants one throws.
 */
export class ArchivingSession extends Session {
  #stateManager: StateManager | null = null;

  /** `(apiKey, type [, title])`. Exceptions: 1560 for the role, 3001. */
  createArchive(...args: readonly unknown[]): void {
    const [, type] = args;
    if (!ARCHIVE_TYPES.includes(type))
      throw misuse('Session', 'createArchive', 'the type is TB.PER_SESSION or TB.PER_STREAM');
    this.#requirePresence('createArchive');
    this.#raise(1560, 3001);
  }

  /** Exceptions: 1570 for the role, 3000. */
  loadArchive(archiveId?: unknown): void {
    if (typeof archiveId !== 'string' || archiveId === '')
      throw misuse('Session', 'loadArchive', 'the id of an archive is required');
    this.#requirePresence('loadArchive');
    this.#raise(1570, 3000);
  }

  startRecording(_archive?: unknown): void {
    this.#requirePresence('startRecording');
    throw unknownArchive('Session', 'startRecording');
  }

  stopRecording(_archive?: unknown): void {
    this.#requirePresence('stopRecording');
    throw unknownArchive('Session', 'stopRecording');
  }

  closeArchive(_archive?: unknown): void {
    this.#requirePresence('closeArchive');
    throw unknownArchive('Session', 'closeArchive');
  }

  /** The session's one StateManager. Throws while not connected. */
  getStateManager(): StateManager {
    this.#requirePresence('getStateManager');
    this.#stateManager ??= new StateManager(this.page, this.model);
    return this.#stateManager;
  }

  /** Archives that were made for the session and are not closed, for `sessionConnected`. */
  _openArchives(): readonly never[] {
    return [];
  }

  #requirePresence(method: string): void {
    if (!this.model.isPresent) throw misuse('Session', method, 'the session is not connected');
  }

  /** What moderators are told, and what everybody else is told before that. */
  #raise(forRole: number, forModerators: number): void {
    const isModerator = this.capabilities.forceDisconnect === 1;
    const error = isModerator
      ? new OTError('OT_NOT_SUPPORTED', NO_ARCHIVES, forModerators)
      : new OTError('OT_PERMISSION_DENIED', 'Only moderators may use archives.', forRole);
    this.page.raise(error, this);
  }
}

/** What is thrown for an archive that the session does not have. */
export function unknownArchive(object: string, method: string): Error {
  return misuse(object, method, 'an archive of this session is required');
}

/** Asking the user for camera and microphone: the browser's dialog, what is told of it, and what is shown meanwhile. */
import type { Widget } from '../dom/index.ts';
import { asOTError, type OTError } from '../errors.ts';
import { queueEvent, type Emitter } from './emitter.ts';
import { AccessDeniedEvent, AccessDialogOpenedEvent, Event } from './events.ts';

/** If the browser has not answered by then, it is probably asking the user. */
const DIALOG_GUESS_MS = 500;

/** The Publisher, as far as its asking must know it. */
export interface AccessOwner {
  /** Dispatches the events. */
  readonly emitter: Emitter;
  /** Whether accessDialogOpened can be prevented. */
  readonly dialogOpenedCancelable: boolean;
  /** What a refusal is about. */
  readonly concerned: 'Camera' | 'Microphone';
  widget(): Widget | null;
  /** Nobody waits for the answer any more. */
  isOver(): boolean;
  refused(error: OTError): void;
}

/** Runs `open`, which asks; rejects with a capture error that has been told and shown. */
export async function askForAccess(owner: AccessOwner, open: () => Promise<void>): Promise<void> {
  const { emitter } = owner;
  let dialogOpened = false;
  const dialog = setTimeout(() => {
    dialogOpened = true;
    queueEvent(emitter, new AccessDialogOpenedEvent(owner.dialogOpenedCancelable), () => {
      owner.widget()?.showMessage('Please allow this page to use your camera and microphone.');
    });
  }, DIALOG_GUESS_MS);
  const closed = (): void => {
    owner.widget()?.hideMessage();
    if (dialogOpened) queueEvent(emitter, new Event('accessDialogClosed'));
  };
  try {
    await open();
    closed();
  } catch (thrown) {
    const error = asOTError(thrown, 'OT_UNABLE_TO_CAPTURE_MEDIA');
    if (owner.isOver()) throw error;
    closed();
    explain(owner, error);
    owner.refused(error);
    throw error;
  } finally {
    clearTimeout(dialog);
  }
}

function explain({ emitter, concerned, widget }: AccessOwner, error: OTError): void {
  if (error.name !== 'OT_USER_MEDIA_ACCESS_DENIED') {
    widget()?.showMessage(error.message);
    return;
  }
  queueEvent(emitter, new AccessDeniedEvent(`${concerned} access was denied: ${error.originalMessage ?? ''}`), () => {
    widget()?.showMessage(
      'This page may not use your camera and microphone. Allow it in the address bar, then reload.',
    );
  });
}

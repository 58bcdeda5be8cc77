// The keys: m for the microphone, v for the camera, Escape to put the panel away where it covers the stage.
import type { State } from './state.ts';
import type { Actions } from './views/actions.ts';

/** Handles keys pressed anywhere on the page but where the user types. */
export function listenToKeys(page: Document, actions: Actions, state: () => State, coversStage: () => boolean): void {
  page.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === 'Escape' && state().panelOpen && state().confirming === undefined && coversStage()) actions.togglePanel();
    if (event.target instanceof HTMLElement && event.target.closest('input, textarea, select')) return;
    const key = event.key.toLowerCase();
    if (key === 'm') actions.toggle('audio');
    if (key === 'v') actions.toggle('video');
  });
}

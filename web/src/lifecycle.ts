/** What the page's own life means for its sessions. */
import type { Page } from './api/index.ts';

/** A page that goes away says goodbye, so that the others hear it at once; a network that comes back ends the waiting. */
export function watchPage(page: Page): void {
  addEventListener('pagehide', () => {
    for (const session of page.sessions) session._goodbye();
  });
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) for (const session of page.sessions) session._returned();
  });
  addEventListener('online', () => {
    for (const session of page.sessions) session._online();
  });
}

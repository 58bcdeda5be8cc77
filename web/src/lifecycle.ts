/** What the page's own life means for its sessions. */
import type { Page } from './api/index.ts';

/**
 * A page that goes away says goodbye, so that the others hear it at once. When the network changes, or the page is looked at
 * again after it or the whole machine may have slept, the sockets are tried.
 */
export function watchPage(page: Page): void {
  addEventListener('pagehide', () => {
    for (const session of page.sessions) session._goodbye();
  });
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) for (const session of page.sessions) session._returned();
  });
  const tryNetwork = (): void => {
    for (const session of page.sessions) session._networkChanged();
  };
  addEventListener('online', tryNetwork);
  addEventListener('offline', tryNetwork);
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') tryNetwork();
  });
}

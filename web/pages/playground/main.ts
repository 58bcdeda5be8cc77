// Starts the playground: reads the address, finds a session to join, and joins it.
import { readAddress } from './address.ts';
import { fetchOffer } from './config.ts';
import { inventName } from './names.ts';
import { loadedOpenTok, type OpenTok } from './opentok.ts';
import { PlaygroundApp } from './playground-app.ts';
import { listenToKeys } from './shortcuts.ts';

/** Kept for the tab alone, so that two tabs are two people. */
const NAME_KEY = 'tertulia.name';
/** Where the panel covers the stage (as in panel.css), it is closed at first. */
const NARROW = matchMedia('(max-width: 860px)');

const root = document.getElementById('app');
const openTok = loadedOpenTok();
if (root && openTok) void start(root, openTok);
else if (root) root.textContent = 'The client script /v2/js/opentok.min.js did not load: is the server running, and built with `make build`?';

async function start(root: HTMLElement, openTok: OpenTok): Promise<void> {
  const page = new URL(location.href);
  const address = readAddress(page);
  const name = address.name ?? sessionStorage.getItem(NAME_KEY) ?? inventName(Math.random);
  const keepName = (name: string): void => sessionStorage.setItem(NAME_KEY, name);
  keepName(name);
  const app = new PlaygroundApp({ root, openTok, address, name, page, panelOpen: !NARROW.matches, keepName });
  listenToKeys(document, app.actions, () => app.state, () => NARROW.matches);
  if (address.credentials) {
    app.start(address.credentials, true);
    return;
  }
  try {
    const offer = await fetchOffer(address.role);
    if (offer) {
      app.dispatch({ type: 'impaired', impair: offer.impair });
      app.start(offer.credentials, false);
    } else app.dispatch({ type: 'phase', phase: { name: 'asking', typed: undefined } });
  } catch (error) {
    const text = `${error instanceof Error ? error.message : String(error)} Is the server running? Load the page again when it is.`;
    app.dispatch({ type: 'phase', phase: { name: 'failed', words: { title: 'Could not join', text } } });
  }
}

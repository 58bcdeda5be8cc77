/** The object that the npm package is about: `OT` of the second era, whose server the application names. */
import { makeNamespace, Page } from '../api/index.ts';
import { browserWorld } from '../engine/index.ts';
import { v2 } from '../eras/index.ts';
import { watchPage } from '../lifecycle.ts';
import type { OpenTok } from './types/index.ts';

const page = new Page(v2, browserWorld, null);
// Applications are also rendered on servers, where there is nothing to watch.
if (typeof window !== 'undefined') watchPage(page);

/** `OT`. Where the server is, `OT.setServerUrl(url)` says, or `<meta name="tertulia-server" content="…">`. */
export const OT: OpenTok = makeNamespace(page);

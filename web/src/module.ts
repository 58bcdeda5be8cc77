/** The npm package: its export is the `OT` object of the second era; the server is set by `OT.setServerUrl(url)`. */
import { makeNamespace, Page } from './api/index.ts';
import { browserWorld } from './engine/index.ts';
import { v2 } from './eras/index.ts';
import { watchPage } from './lifecycle.ts';

const page = new Page(v2, browserWorld, null);
const OT = makeNamespace(page);
if (typeof window !== 'undefined') watchPage(page);

export default OT;

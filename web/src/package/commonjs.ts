/** The npm package as CommonJS: the export is the `OT` object itself, and its own default export. */
import { OT } from './opentok.ts';

// Compiled imports look for both: `import OT from` takes `default` where `__esModule` is set, `import * as OT` all.
export default Object.defineProperties(OT, { __esModule: { value: true }, default: { value: OT } });

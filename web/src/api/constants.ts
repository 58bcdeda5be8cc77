/** The constants of the namespace object. */
import { LEVELS } from '../logger.ts';

/** Constants of both eras; the first has more. */
export const SHARED_CONSTANTS = { ...LEVELS, HAS_REQUIREMENTS: 1, NOT_HAS_REQUIREMENTS: 0 } as const;

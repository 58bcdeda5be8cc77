/** The builds of the first era: what still differs between the script addresses of 2010 to 2013. */
import { LEVELS } from '../../logger.ts';

export interface Build {
  readonly version: '0.91' | '1.1' | '2.0';
  /** A listener that is added again moves to the end instead of staying where it is. */
  readonly movesRepeatedListeners: boolean;
  /** The numbers of the log levels: the first builds counted LOG above DEBUG. */
  readonly levels: typeof LEVELS | (Omit<typeof LEVELS, 'LOG' | 'DEBUG'> & { readonly LOG: 5; readonly DEBUG: 4 });
  /** Whether Publishers and Subscribers tell that they are destroyed; a Publisher then gives itself, not an event. */
  readonly tellsDestroyed: boolean;
  /** What the id of a Subscriber's new element begins with. */
  subscriberId(streamId: string): string;
}

export const BUILDS = {
  '0.91': {
    version: '0.91',
    movesRepeatedListeners: true,
    levels: { ...LEVELS, LOG: 5, DEBUG: 4 },
    tellsDestroyed: false,
    subscriberId: (streamId) => `subscriber_${streamId}_`,
  },
  '1.1': {
    version: '1.1',
    movesRepeatedListeners: false,
    levels: LEVELS,
    tellsDestroyed: false,
    subscriberId: () => 'subscriber_',
  },
  '2.0': {
    version: '2.0',
    movesRepeatedListeners: false,
    levels: LEVELS,
    tellsDestroyed: true,
    subscriberId: () => 'subscriber_',
  },
} as const satisfies Readonly<Record<Build['version'], Build>>;

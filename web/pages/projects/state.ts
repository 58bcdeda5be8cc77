// What the page shows at one moment, and where its address leads.
import type { CallbackGroups, Delivery, Project, SessionDetails, SessionRow } from './api.ts';

export type Tab = 'sessions' | 'callbacks' | 'settings';
export const TABS: readonly Tab[] = ['sessions', 'callbacks', 'settings'];

/** Where the user is; kept in the address behind its #, so that the browser's back button works. */
export interface Place {
  readonly key?: string;
  readonly tab: Tab;
  readonly session?: string;
}

/** What the user is asked before it is done, or fills in. */
export type Dialog =
  | { readonly name: 'create-project' }
  | { readonly name: 'create-session' }
  | { readonly name: 'rename' | 'rotate' | 'suspend' | 'delete'; readonly project: Project }
  | { readonly name: 'kick'; readonly connectionId: string; readonly who: string }
  | { readonly name: 'register' };

/** As many deliveries as the server gives at a time; fewer are the last. */
export const DELIVERIES_PAGE = 50;

export interface MadeToken {
  readonly session: string;
  readonly token: string;
  readonly role: string;
  readonly format: string;
  readonly expiresAtMs: number;
}

export interface State {
  readonly phase: 'loading' | 'signed-out' | 'ready' | 'failed';
  readonly hasPassword: boolean;
  readonly place: Place;
  readonly projects: readonly Project[];
  readonly showsSecret: boolean;
  /** Of the project that is shown; undefined until they came. */
  readonly sessions: { readonly live: readonly SessionRow[]; readonly others: readonly SessionRow[] } | undefined;
  readonly session: SessionDetails | undefined;
  readonly made: MadeToken | undefined;
  readonly callbacks: CallbackGroups | undefined;
  readonly deliveries: readonly Delivery[] | undefined;
  readonly deliveryFilter: string;
  readonly dialog: Dialog | undefined;
  /** Why the last thing did not work; beside the form that asked for it, or above everything. */
  readonly problem: string | undefined;
  readonly notice: string | undefined;
  readonly isBusy: boolean;
}

export const INITIAL: State = {
  phase: 'loading',
  hasPassword: true,
  place: { tab: 'sessions' },
  projects: [],
  showsSecret: false,
  sessions: undefined,
  session: undefined,
  made: undefined,
  callbacks: undefined,
  deliveries: undefined,
  deliveryFilter: '',
  dialog: undefined,
  problem: undefined,
  notice: undefined,
  isBusy: false,
};

/** Reads `#/KEY/TAB/SESSION`; anything else is the beginning. */
export function placeOf(hash: string): Place {
  const [, key, tab, session] = hash.replace(/^#/, '').split('/').map(decoded);
  if (!key || !/^\d{1,10}$/.test(key)) return { tab: 'sessions' };
  const known = TABS.find((name) => name === tab) ?? 'sessions';
  return known === 'sessions' && session ? { key, tab: known, session } : { key, tab: known };
}

export function addressOf({ key, tab, session }: Place): string {
  if (!key) return '#/';
  return `#/${key}/${tab}${session ? `/${encodeURIComponent(session)}` : ''}`;
}

/** The project that is shown, if there is one. */
export function shownProject(state: State): Project | undefined {
  return state.projects.find(({ apiKey }) => apiKey === state.place.key);
}

/** The state at another place: what belonged to the former one is gone. */
export function moved(state: State, place: Place): State {
  const isSameProject = place.key === state.place.key;
  const isSameSession = isSameProject && place.session === state.place.session;
  return {
    ...state,
    place,
    showsSecret: isSameProject && state.showsSecret,
    sessions: isSameProject ? state.sessions : undefined,
    session: isSameSession ? state.session : undefined,
    made: isSameSession ? state.made : undefined,
    callbacks: isSameProject ? state.callbacks : undefined,
    deliveries: isSameProject ? state.deliveries : undefined,
    dialog: undefined,
    problem: undefined,
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

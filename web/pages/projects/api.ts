// What the server tells the projects page and does for it: one function for each of its addresses.

export interface Project {
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly name: string;
  readonly status: 'ACTIVE' | 'SUSPENDED';
  readonly createdAtMs: number;
  readonly acceptKnownKeys: boolean;
  /** It stands in the server's configuration file, so its secret and its end are set there. */
  readonly isConfigured: boolean;
}

export interface Session {
  readonly sessionId: string;
  readonly mediaMode: 'routed' | 'relayed';
  readonly archiveMode: 'manual' | 'always';
  readonly e2ee: boolean;
  readonly createdAtMs: number;
}

export interface SessionRow extends Session {
  readonly connections: number;
  readonly streams: number;
}

export interface Stream {
  readonly streamId: string;
  readonly name: string;
  readonly hasAudio: boolean;
  readonly hasVideo: boolean;
  readonly videoType: string | null;
  readonly width: number;
  readonly height: number;
}

export interface Connection {
  readonly connectionId: string;
  readonly role: string;
  readonly data: string;
  readonly state: string;
  readonly createdAtMs: number;
  readonly streams: readonly Stream[];
}

export interface SessionDetails extends Session {
  readonly inside: readonly Connection[];
}

export interface Callback {
  readonly id: string;
  readonly group: string;
  readonly event: string;
  readonly url: string;
  readonly secret: string;
  readonly createdAtMs: number;
}

export type DeliveryStatus = 'pending' | 'delivered' | 'set_aside' | 'dead';

export interface Delivery {
  readonly id: number;
  readonly name: string;
  readonly url: string;
  readonly sessionId: string;
  readonly status: DeliveryStatus;
  readonly createdAtMs: number;
  readonly attempts: number;
  readonly lastStatus: number | null;
  readonly lastError: string | null;
}

export interface CallbackGroups {
  readonly callbacks: readonly Callback[];
  /** Every event that can be registered, by its group. */
  readonly events: Readonly<Record<string, readonly string[]>>;
}

export interface Entry {
  readonly signedIn: boolean;
  readonly hasPassword: boolean;
}

export interface Token {
  readonly token: string;
  readonly expiresAtMs: number;
}

export type Json = Readonly<Record<string, unknown>>;

/** The server refused, or could not be asked; `status` is 0 then. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
  }
}

type Fetch = (address: string, options: RequestInit) => Promise<Response>;

/** Beside the page's own address, so that it also works below a path. */
const BASE = 'projects/api';
const DEADLINE_MS = 20_000;

export class Api {
  readonly #fetch: Fetch;
  /** What a request that changes something must carry, from the server's last word on who is signed in. */
  #csrf: string | undefined;

  constructor(fetch: Fetch) {
    this.#fetch = fetch;
  }

  state = (): Promise<Entry> => this.#enter('GET', '/state');
  signIn = (password: string): Promise<Entry> => this.#enter('POST', '/sign-in', { password });
  signOut = (): Promise<void> => this.#ask('POST', '/sign-out', {});

  projects = (): Promise<readonly Project[]> => this.#ask('GET', '/projects');
  createProject = (wanted: Json): Promise<Project> => this.#ask('POST', '/projects', wanted);
  changeProject = (key: string, change: Json): Promise<Project> => this.#ask('PATCH', project(key), change);
  rotate = (key: string): Promise<Project> => this.#ask('POST', `${project(key)}/rotate`, {});
  deleteProject = (key: string): Promise<void> => this.#ask('DELETE', project(key));

  sessions = (key: string): Promise<{ readonly live: readonly SessionRow[]; readonly others: readonly SessionRow[] }> =>
    this.#ask('GET', `${project(key)}/sessions`);
  createSession = (key: string, wanted: Json): Promise<SessionRow> => this.#ask('POST', `${project(key)}/sessions`, wanted);
  session = (key: string, id: string): Promise<SessionDetails> => this.#ask('GET', session(key, id));
  createToken = (key: string, id: string, wanted: Json): Promise<Token> => this.#ask('POST', `${session(key, id)}/tokens`, wanted);
  kick = (key: string, id: string, connection: string): Promise<void> =>
    this.#ask('DELETE', `${session(key, id)}/connections/${encodeURIComponent(connection)}`);

  callbacks = (key: string): Promise<CallbackGroups> => this.#ask('GET', `${project(key)}/callbacks`);
  register = (key: string, wanted: Json): Promise<Callback> => this.#ask('POST', `${project(key)}/callbacks`, wanted);
  unregister = (key: string, id: string): Promise<void> =>
    this.#ask('DELETE', `${project(key)}/callbacks/${encodeURIComponent(id)}`);
  deliveries = (key: string, status: string, before?: number): Promise<readonly Delivery[]> => {
    const query = new URLSearchParams({ ...(status && { status }), ...(before !== undefined && { before: String(before) }) });
    return this.#ask('GET', `${project(key)}/deliveries?${query}`);
  };
  replay = (key: string, id: number): Promise<Delivery> => this.#ask('POST', `${project(key)}/deliveries/${id}/replay`, {});
  replayAll = (key: string): Promise<{ readonly replayed: number }> => this.#ask('POST', `${project(key)}/deliveries/replay`, {});

  async #enter(method: string, path: string, body?: Json): Promise<Entry> {
    const entry = await this.#ask<Entry & { readonly csrf: string | null }>(method, path, body);
    this.#csrf = entry.csrf ?? undefined;
    return entry;
  }

  async #ask<T>(method: string, path: string, body?: Json): Promise<T> {
    const headers: Record<string, string> = {};
    if (body) headers['Content-Type'] = 'application/json';
    if (method !== 'GET' && this.#csrf) headers['X-Tertulia-CSRF'] = this.#csrf;
    let answer: Response;
    try {
      answer = await this.#fetch(BASE + path, {
        method,
        headers,
        body: body ? JSON.stringify(body) : null,
        cache: 'no-store',
        credentials: 'same-origin',
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
    } catch {
      throw new Refusal(0, 'The server does not answer. Is it running?');
    }
    if (!answer.ok) throw new Refusal(answer.status, await messageOf(answer));
    return (answer.status === 204 ? undefined : await answer.json()) as T;
  }
}

function project(key: string): string {
  return `/projects/${encodeURIComponent(key)}`;
}

function session(key: string, id: string): string {
  return `${project(key)}/sessions/${encodeURIComponent(id)}`;
}

async function messageOf(answer: Response): Promise<string> {
  try {
    const { message } = (await answer.json()) as { readonly message?: unknown };
    if (typeof message === 'string') return message;
  } catch {
    // no JSON: a proxy in between has answered
  }
  return `The server answered ${answer.status}.`;
}

// The projects page as a whole: holds the state, draws it, and carries out what the operator does.
import { render } from 'lit';
import { Refusal, type Api, type Project } from './api.ts';
import { addressOf, DELIVERIES_PAGE, INITIAL, moved, placeOf, type Place, type State } from './state.ts';
import type { Actions } from './views/actions.ts';
import { appView } from './views/app-view.ts';

/** How often what is alive is asked for while the page is looked at. */
const REFRESH_MS = 2_000;
const NOTICE_MS = 4_000;

export class ProjectsApp {
  readonly actions: Actions;
  readonly #root: HTMLElement;
  readonly #api: Api;
  #state: State = INITIAL;
  #isDrawingDue = false;
  #refreshing: ReturnType<typeof setTimeout> | undefined;
  #noticeEnds: ReturnType<typeof setTimeout> | undefined;
  /** Where the focus was before a dialog took it. */
  #askedFrom: HTMLElement | undefined;

  constructor(root: HTMLElement, api: Api) {
    this.#root = root;
    this.#api = api;
    this.actions = this.#makeActions();
    addEventListener('hashchange', () => this.#arrive(placeOf(location.hash)));
    document.addEventListener('visibilitychange', () => this.#refreshSoon());
  }

  get state(): State {
    return this.#state;
  }

  async start(): Promise<void> {
    this.#set({ phase: 'loading', problem: undefined });
    try {
      const { signedIn, hasPassword } = await this.#api.state();
      this.#set({ hasPassword });
      if (signedIn) await this.#open();
      else this.#set({ phase: 'signed-out' });
    } catch (error) {
      this.#set({ phase: 'failed', problem: wordsOf(error) });
    }
  }

  async #open(): Promise<void> {
    const projects = await this.#api.projects();
    this.#set({ phase: 'ready', projects, problem: undefined });
    this.#arrive(placeOf(location.hash));
  }

  #arrive(place: Place): void {
    this.#state = moved(this.#state, place);
    this.#draw();
    this.#root.querySelector<HTMLElement>('[data-arrival]')?.focus({ preventScroll: true });
    scrollTo(0, 0);
    void this.#load();
  }

  /** Fetches what the present place shows. */
  async #load(): Promise<void> {
    const { phase, place } = this.#state;
    if (phase !== 'ready' || !place.key) return;
    await this.#try(async () => {
      await this.#fetchShown(place);
      if (place.tab === 'callbacks') await this.#fetchCallbacks(place);
    });
    this.#refreshSoon();
  }

  async #fetchShown({ key, tab, session }: Place): Promise<void> {
    if (!key) return;
    if (tab === 'callbacks') {
      await this.#fetchDeliveries(key);
    } else if (tab === 'settings') {
      return;
    } else if (session) {
      const found = await this.#api.session(key, session);
      if (this.#isAt(key, session)) this.#set({ session: found });
    } else {
      const sessions = await this.#api.sessions(key);
      if (this.#isAt(key)) this.#set({ sessions });
    }
  }

  async #fetchCallbacks({ key }: Place): Promise<void> {
    if (!key) return;
    const callbacks = await this.#api.callbacks(key);
    if (this.#isAt(key)) this.#set({ callbacks });
    await this.#fetchDeliveries(key);
  }

  /** The newest ones, unless somebody reads older ones just now. */
  async #fetchDeliveries(key: string): Promise<void> {
    const { deliveryFilter, deliveries = [] } = this.#state;
    if (deliveries.length > DELIVERIES_PAGE) return;
    const newest = await this.#api.deliveries(key, deliveryFilter);
    if (this.#isAt(key) && this.#state.deliveryFilter === deliveryFilter) this.#set({ deliveries: newest });
  }

  #isAt(key: string, session?: string): boolean {
    return this.#state.place.key === key && this.#state.place.session === session;
  }

  /** While somebody looks at what is alive. */
  #refreshSoon(): void {
    clearTimeout(this.#refreshing);
    const { phase, place } = this.#state;
    if (document.hidden || phase !== 'ready' || !place.key || place.tab === 'settings') return;
    this.#refreshing = setTimeout(() => {
      // What fails now fails again in two seconds; only being signed out is told.
      void this.#fetchShown(this.#state.place)
        .catch((error: unknown) => this.#signedOutBy(error))
        .finally(() => this.#refreshSoon());
    }, REFRESH_MS);
  }

  #makeActions(): Actions {
    const api = this.#api;
    return {
      signIn: (password) => void this.#try(async () => {
        await api.signIn(password);
        await this.#open();
      }),
      signOut: () => void this.#try(async () => {
        await api.signOut();
        this.#state = { ...INITIAL, phase: 'signed-out', hasPassword: this.#state.hasPassword };
        this.#draw();
      }),
      retry: () => void this.start(),
      go: (place) => this.#go(place),
      ask: (dialog) => this.#set({ dialog, problem: undefined }),
      close: () => this.#set({ dialog: undefined, problem: undefined }),
      showSecret: (showsSecret) => this.#set({ showsSecret }),
      copy: (what, text) => void this.#copy(what, text),
      createProject: (wanted) => void this.#try(async () => {
        const made = await api.createProject(wanted);
        this.#set({ projects: [...this.#state.projects, made], dialog: undefined });
        this.#go({ key: made.apiKey, tab: 'settings' });
        this.#notice(`Project ${made.name || made.apiKey} created`);
      }),
      changeProject: (project, change, notice) => void this.#try(async () => {
        this.#replace(await api.changeProject(project.apiKey, change));
        this.#notice(notice);
      }),
      rotate: (project) => void this.#try(async () => {
        this.#replace(await api.rotate(project.apiKey));
        this.#notice('The project has a new secret');
      }),
      deleteProject: (project) => void this.#try(async () => {
        await api.deleteProject(project.apiKey);
        this.#set({ projects: this.#state.projects.filter(({ apiKey }) => apiKey !== project.apiKey), dialog: undefined });
        this.#go({ tab: 'sessions' });
        this.#notice(`Project ${project.name || project.apiKey} deleted`);
      }),
      createSession: (wanted) => void this.#inProject(async (key) => {
        const made = await api.createSession(key, wanted);
        this.#set({ dialog: undefined });
        this.#go({ key, tab: 'sessions', session: made.sessionId });
      }),
      createToken: (wanted) => void this.#inSession(async (key, session) => {
        // Nobody copies the former one in its place.
        this.#set({ made: undefined });
        const made = await api.createToken(key, session, wanted);
        const { role, format } = wanted as { readonly role: string; readonly format: string };
        if (this.#isAt(key, session)) this.#set({ made: { ...made, session, role, format } });
      }),
      kick: (connectionId) => void this.#inSession(async (key, session) => {
        await api.kick(key, session, connectionId);
        this.#set({ dialog: undefined });
        this.#notice('Removed from the session');
        await this.#fetchShown(this.#state.place);
      }),
      ...this.#callbackActions(),
      dismiss: () => this.#set({ problem: undefined, notice: undefined }),
    };
  }

  #callbackActions(): Pick<Actions, 'register' | 'unregister' | 'filterDeliveries' | 'moreDeliveries' | 'replay' | 'replayAll'> {
    const api = this.#api;
    const reload = (): Promise<void> => this.#fetchCallbacks(this.#state.place);
    return {
      register: (wanted) => void this.#inProject(async (key) => {
        await api.register(key, wanted);
        this.#set({ dialog: undefined });
        await reload();
      }),
      unregister: (id) => void this.#inProject(async (key) => {
        await api.unregister(key, id);
        await reload();
      }),
      filterDeliveries: (deliveryFilter) => {
        this.#set({ deliveryFilter, deliveries: undefined });
        void this.#try(reload);
      },
      moreDeliveries: () => void this.#inProject(async (key) => {
        const { deliveries = [], deliveryFilter } = this.#state;
        const more = await api.deliveries(key, deliveryFilter, deliveries.at(-1)?.id);
        this.#set({ deliveries: [...deliveries, ...more] });
        if (more.length === 0) this.#notice('There are no older ones');
      }),
      replay: (id) => void this.#inProject(async (key) => {
        await api.replay(key, id);
        this.#notice('It will be sent again');
        await reload();
      }),
      replayAll: () => void this.#inProject(async (key) => {
        const { replayed } = await api.replayAll(key);
        this.#notice(`${replayed} will be sent again`);
        await reload();
      }),
    };
  }

  async #inProject(work: (key: string) => Promise<void>): Promise<void> {
    const { key } = this.#state.place;
    if (key) await this.#try(() => work(key));
  }

  async #inSession(work: (key: string, session: string) => Promise<void>): Promise<void> {
    const { key, session } = this.#state.place;
    if (key && session) await this.#try(() => work(key, session));
  }

  async #try(work: () => Promise<void>): Promise<void> {
    this.#set({ isBusy: true, problem: undefined });
    try {
      await work();
    } catch (error) {
      if (!this.#signedOutBy(error)) this.#set({ problem: wordsOf(error) });
    } finally {
      this.#set({ isBusy: false });
    }
  }

  #signedOutBy(error: unknown): boolean {
    const isSignedOut = error instanceof Refusal && error.status === 401;
    if (isSignedOut) this.#set({ phase: 'signed-out', dialog: undefined });
    return isSignedOut;
  }

  #replace(changed: Project): void {
    const projects = this.#state.projects.map((one) => (one.apiKey === changed.apiKey ? changed : one));
    this.#set({ projects, dialog: undefined });
  }

  #go(place: Place): void {
    const address = addressOf(place);
    if (location.hash === address || (address === '#/' && location.hash === '')) this.#arrive(place);
    else location.hash = address; // hashchange arrives
  }

  async #copy(what: string, text: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      this.#notice(`${what} copied`);
    } catch {
      this.#set({ problem: 'The browser does not let this page copy: select the text and copy it yourself.' });
    }
  }

  #notice(notice: string): void {
    clearTimeout(this.#noticeEnds);
    this.#set({ notice });
    this.#noticeEnds = setTimeout(() => this.#set({ notice: undefined }), NOTICE_MS);
  }

  #set(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    if (this.#isDrawingDue) return;
    this.#isDrawingDue = true;
    queueMicrotask(() => {
      this.#isDrawingDue = false;
      this.#draw();
    });
  }

  #draw(): void {
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement : undefined;
    render(appView(this.#state, this.actions, Date.now(), new URL(location.href)), this.#root);
    const dialog = this.#root.querySelector('dialog');
    if (dialog && !dialog.open) {
      this.#askedFrom = focused;
      // As a modal it keeps the focus in, and Escape closes it.
      dialog.showModal();
    } else if (!dialog && this.#askedFrom) {
      if (this.#askedFrom.isConnected && document.activeElement === document.body) this.#askedFrom.focus();
      this.#askedFrom = undefined;
    }
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}


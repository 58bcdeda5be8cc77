// The playground as a whole: holds the state, draws it, and carries out what the user does.
import { render } from 'lit';
import { inviteAddress, isThisComputerOnly, type Address, type Credentials } from './address.ts';
import { Call } from './call.ts';
import { filterLog, logText } from './event-log.ts';
import type { Size } from './grid.ts';
import { Journal } from './journal.ts';
import { MediaElements } from './media-elements.ts';
import { cleanName } from './names.ts';
import type { OpenTok } from './opentok.ts';
import { initialState, reduce, type Change, type State, type Toast } from './state.ts';
import type { Actions } from './views/actions.ts';
import { appView } from './views/app-view.ts';
import { followEnd } from './follow-end.ts';

/** Notices go by themselves after this time, long enough to be read twice; problems stay longer, and both can be dismissed. */
const TOAST_MS: Readonly<Record<Toast['kind'], number>> = { notice: 6_000, problem: 20_000 };

export interface PlaygroundParts {
  readonly root: HTMLElement;
  readonly openTok: OpenTok;
  readonly address: Address;
  readonly name: string;
  readonly page: URL;
  readonly panelOpen: boolean;
  /** Keeps a new name for the next load of this tab. */
  readonly keepName: (name: string) => void;
}

export class PlaygroundApp {
  readonly actions: Actions;
  readonly #parts: PlaygroundParts;
  readonly #elements = new MediaElements();
  readonly #journal: Journal;
  #state: State;
  #stage: Size = { width: 0, height: 0 };
  #call: Call | undefined;
  #ownCredentials: Credentials | undefined;
  #isDrawingDue = false;

  constructor(parts: PlaygroundParts) {
    this.#parts = parts;
    this.#state = initialState(parts.address.role, parts.name, parts.panelOpen);
    this.#journal = new Journal((change) => this.dispatch(change), Date.now);
    this.actions = this.#makeActions();
    parts.openTok.on('exception', ({ type, code, title, message }) =>
      this.#journal.log('problem', { type, summary: `${title}: ${message}`, details: { code } }),
    );
    this.#draw();
    this.#watchStage();
  }

  get state(): State {
    return this.#state;
  }

  dispatch(change: Change): void {
    this.#state = reduce(this.#state, change);
    if (change.type === 'toasted') this.#dismissLater();
    this.#drawSoon();
  }

  /** Joins; `own` credentials are those that this server does not hand out, so an invite link must carry them. */
  start(credentials: Credentials, isOwn: boolean): void {
    this.#ownCredentials = isOwn ? credentials : undefined;
    if (!this.#call?.isIn(credentials)) this.#call = this.#makeCall(credentials);
    this.#call.join(credentials.token);
  }

  #makeCall(credentials: Credentials): Call {
    return new Call({
      openTok: this.#parts.openTok,
      credentials,
      state: () => this.#state,
      dispatch: (change) => this.dispatch(change),
      elements: this.#elements,
      journal: this.#journal,
      now: Date.now,
    });
  }

  /** With the same token, unless the user typed one that did not work and may correct it. */
  #joinAgain(): void {
    if (this.#call && !(this.#ownCredentials && this.#state.phase.name === 'failed')) this.#call.join();
    else this.dispatch({ type: 'phase', phase: { name: 'asking', typed: this.#ownCredentials } });
  }

  #makeActions(): Actions {
    const { page } = this.#parts;
    const dispatch = (change: Change): void => this.dispatch(change);
    return {
      join: () => this.#joinAgain(),
      leave: () => this.#call?.leave(),
      toggle: (track) => this.#call?.toggle(track),
      chat: (text) => this.#call?.chat(text),
      rename: (text) => this.#rename(text),
      askToRemove: (connectionId) => dispatch({ type: 'confirming', connectionId }),
      remove: (connectionId) => this.#call?.remove(connectionId),
      openPanel: (tab) => dispatch({ type: 'panel', open: true, tab }),
      togglePanel: () => dispatch({ type: 'panel', open: !this.#state.panelOpen }),
      inviteAddress: (role) => inviteAddress(page, role, this.#ownCredentials),
      copyInvite: () => void this.#copyInvite(),
      filterKind: (kind) => dispatch({ type: 'logKind', kind }),
      filterText: (text) => dispatch({ type: 'logText', text }),
      copyLog: () => void this.#copyLog(),
      unblockSound: () => void this.#parts.openTok.unblockAudio(),
      dismiss: (toastId) => dispatch({ type: 'dismissed', toastId }),
      enter: (credentials) => this.start(credentials, true),
    };
  }

  #rename(text: string): void {
    const name = cleanName(text) ?? this.#state.myName;
    this.#parts.keepName(name);
    if (this.#call) this.#call.rename(name);
    else this.dispatch({ type: 'renamed', name });
  }

  async #copyInvite(): Promise<void> {
    const link = this.actions.inviteAddress('publisher');
    const hints = [
      this.#ownCredentials ? 'It carries your token: whoever opens it has your role.' : '',
      isThisComputerOnly(this.#parts.page) ? 'It works on this computer only; for a phone, start tertulia dev --lan.' : '',
    ];
    if (await copied(link)) this.#journal.notice('Invite link copied', hints.filter(Boolean).join(' '));
    else this.#journal.notice('The browser does not let this page copy', `Copy the link yourself: ${link}`);
  }

  async #copyLog(): Promise<void> {
    const entries = filterLog(this.#state.log, this.#state.logFilter);
    if (await copied(logText(entries))) this.#journal.notice(`${entries.length} events copied`, '');
    else this.#journal.notice('The browser does not let this page copy', 'Select the events and copy them yourself.');
  }

  #dismissLater(): void {
    const toast = this.#state.toasts.at(-1);
    if (toast) setTimeout(() => this.dispatch({ type: 'dismissed', toastId: toast.id }), TOAST_MS[toast.kind]);
  }

  #drawSoon(): void {
    if (this.#isDrawingDue) return;
    this.#isDrawingDue = true;
    queueMicrotask(() => {
      this.#isDrawingDue = false;
      this.#draw();
    });
  }

  #draw(): void {
    const { root, page } = this.#parts;
    const view = appView({
      state: this.#state,
      actions: this.actions,
      size: this.#stage,
      media: (key) => this.#elements.of(key),
      isLocal: isThisComputerOnly(page),
    });
    followEnd(root, () => render(view, root));
    document.title = `${this.#state.unread > 0 ? `(${this.#state.unread}) ` : ''}${this.#state.myName} · Tertulia playground`;
  }

  #watchStage(): void {
    const stage = this.#parts.root.querySelector('.stage');
    if (!stage) return;
    new ResizeObserver(([entry]) => {
      if (!entry) return;
      const { width, height } = entry.contentRect;
      this.#stage = { width, height };
      this.#drawSoon();
    }).observe(stage);
  }
}

/** Whether the text is now in the clipboard. */
async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // refused, or a page without https
  }
}

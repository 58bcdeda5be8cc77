// What the user can do: the views call these and know nothing of how it is done.
import type { Credentials } from '../address.ts';
import type { LogKind } from '../event-log.ts';
import type { Role } from '../roles.ts';
import type { Tab } from '../state.ts';

export interface Actions {
  join(): void;
  leave(): void;
  toggle(track: 'audio' | 'video'): void;
  chat(text: string): void;
  rename(name: string): void;
  /** undefined: nobody after all. */
  askToRemove(connectionId: string | undefined): void;
  remove(connectionId: string): void;
  openPanel(tab: Tab): void;
  togglePanel(): void;
  copyInvite(): void;
  inviteAddress(role: Role): string;
  filterKind(kind: LogKind | undefined): void;
  filterText(text: string): void;
  copyLog(): void;
  unblockSound(): void;
  dismiss(toastId: number): void;
  /** From the form: joins with what the user typed. */
  enter(credentials: Credentials): void;
}

// What the operator can do: the views call these and know nothing of how it is done.
import type { Json, Project } from '../api.ts';
import type { Dialog, Place } from '../state.ts';

export interface Actions {
  signIn(password: string): void;
  signOut(): void;
  retry(): void;
  go(place: Place): void;
  ask(dialog: Dialog): void;
  close(): void;
  showSecret(shown: boolean): void;
  copy(what: string, text: string): void;
  createProject(wanted: Json): void;
  changeProject(project: Project, change: Json, notice: string): void;
  rotate(project: Project): void;
  deleteProject(project: Project): void;
  createSession(wanted: Json): void;
  createToken(wanted: Json): void;
  kick(connectionId: string): void;
  register(wanted: Json): void;
  unregister(id: string): void;
  filterDeliveries(status: string): void;
  moreDeliveries(): void;
  replay(id: number): void;
  replayAll(): void;
  dismiss(): void;
}

/** What the fields of a form hold. */
export function valuesOf(event: SubmitEvent): Record<string, string> {
  event.preventDefault();
  const entries = [...new FormData(event.target as HTMLFormElement)];
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

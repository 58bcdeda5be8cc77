// What a ready page joins with: it stands behind the # of its address, which browsers send to nobody.

export interface Facts {
  readonly key: string;
  readonly session: string;
  readonly token: string;
}

/** Undefined unless all three are there. */
export function factsIn(hash: string): Facts | undefined {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  const [key, session, token] = [given.get('key'), given.get('session'), given.get('token')];
  return key && session && token ? { key, session, token } : undefined;
}

/** Where the page puts people, and how it says how it stands. */
export interface Stage {
  readonly me: HTMLElement;
  readonly others: HTMLElement;
  say(text: string): void;
}

/** Fills the page. */
export function makeStage(root: HTMLElement, era: string): Stage {
  const head = document.createElement('h1');
  head.textContent = `A call with ${era}`;
  const status = document.createElement('p');
  status.setAttribute('role', 'status');
  const people = document.createElement('main');
  const [me, others] = [document.createElement('div'), document.createElement('div')];
  me.id = 'me';
  others.id = 'others';
  people.append(me, others);
  root.replaceChildren(head, status, people);
  return { me, others, say: (text) => (status.textContent = text) };
}

export const NOTHING_TO_JOIN = 'This address names no session: make a token on the projects page and open the page from there.';

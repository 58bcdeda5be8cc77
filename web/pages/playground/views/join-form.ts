// The form for a session that the server does not hand out by itself.
import { html, type TemplateResult } from 'lit';
import type { Credentials } from '../address.ts';
import type { Actions } from './actions.ts';
import { icon } from './icons.ts';

/** `typed`: what the user typed before and may correct. */
export function joinForm(typed: Credentials | undefined, actions: Actions): TemplateResult {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string): string => String(fields.get(name) ?? '').trim();
    actions.enter({ apiKey: text('key'), sessionId: text('session'), token: text('token') });
  };
  return html`<form class="card form" @submit=${submit}>
    <h2>Join a session</h2>
    <p>Make a session and a token with the REST API or a server SDK, and paste them here. They stay in this tab.</p>
    <label>API key<input name="key" .value=${typed?.apiKey ?? ''} required autocomplete="off" spellcheck="false" /></label>
    <label>Session id<input name="session" .value=${typed?.sessionId ?? ''} required autocomplete="off" spellcheck="false" /></label>
    <label>Token<textarea name="token" .value=${typed?.token ?? ''} required rows="3" autocomplete="off" spellcheck="false"></textarea></label>
    <button type="submit" class="button" data-kind="primary">${icon('join')}Join</button>
  </form>`;
}

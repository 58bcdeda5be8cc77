// What stands beside the own picture while nobody else is there.
import { html, nothing, type TemplateResult } from 'lit';
import type { Actions } from './actions.ts';
import { icon, sign } from './icons.ts';

export function inviteTile(actions: Actions, isLocal: boolean): TemplateResult {
  return html`<section class="invite" aria-label="Invite somebody">
    ${sign()}
    <h2>Nobody else is here yet</h2>
    <p>Open this page in a second tab, and it is a video call.</p>
    <div class="invite-buttons">
      <a class="button" data-kind="primary" href=${actions.inviteAddress('publisher')} target="_blank" rel="noopener">${icon('newTab')}Open a second tab</a>
      <button type="button" class="button" @click=${() => actions.copyInvite()}>${icon('copy')}Copy link</button>
    </div>
    ${isLocal
      ? html`<p class="invite-hint">This address works on this computer only. To call a phone, start <code>tertulia dev --lan</code>.</p>`
      : nothing}
  </section>`;
}

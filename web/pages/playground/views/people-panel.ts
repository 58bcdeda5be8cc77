// Everybody in the session, what they send, and for moderators the way to remove somebody.
import { html, nothing, type TemplateResult } from 'lit';
import { ref } from 'lit/directives/ref.js';
import { repeat } from 'lit/directives/repeat.js';
import { NAME_LENGTH, shortId } from '../names.ts';
import { people, type Person } from '../people.ts';
import { mayRemove, ROLE_WORDS, ROLES } from '../roles.ts';
import type { State } from '../state.ts';
import type { Actions } from './actions.ts';
import { avatar } from './avatar.ts';
import { icon } from './icons.ts';

export function peoplePanel(state: State, actions: Actions): TemplateResult {
  const everybody = people(state);
  return html`<div class="scroll">
      <label class="name-field">Your name
        <input maxlength=${NAME_LENGTH} .value=${state.myName} autocomplete="off" spellcheck="false"
          @change=${(event: Event) => actions.rename((event.currentTarget as HTMLInputElement).value)} />
      </label>
      ${everybody.length === 0
        ? html`<p class="empty">Nobody, while you are not in the session.</p>`
        : html`<ul class="people" role="list">${repeat(everybody, ({ id }) => id, (person) => personRow(person, state, actions))}</ul>`}
    </div>
    <div class="panel-foot tabs-as">
      <p class="muted">Open another tab as</p>
      ${ROLES.map((role) => html`<a class="chip" href=${actions.inviteAddress(role)} target="_blank" rel="noopener" title=${ROLE_WORDS[role].does}>${ROLE_WORDS[role].title}</a>`)}
    </div>`;
}

function personRow(person: Person, state: State, actions: Actions): TemplateResult {
  if (state.confirming === person.id) return confirmRow(person, actions);
  const canRemove = mayRemove(state.role) && !person.isMe;
  return html`<li class="person">
    ${avatar(person.id, person.name)}
    <div class="person-text">
      <p class="person-name"><span>${person.name}</span>${person.isMe ? html`<span class="tag">you</span>` : nothing}</p>
      <p class="muted">${person.role ? `${ROLE_WORDS[person.role].title} · ` : ''}<code title=${person.id}>${shortId(person.id)}</code></p>
    </div>
    <p class="person-media">${mediaSigns(person)}</p>
    ${canRemove
      ? html`<button type="button" class="button" data-kind="ghost" aria-label="Remove ${person.name}" @click=${() => actions.askToRemove(person.id)}>Remove</button>`
      : nothing}
  </li>`;
}

function confirmRow({ id, name }: Person, actions: Actions): TemplateResult {
  return html`<li class="person" data-confirming @keydown=${(event: KeyboardEvent) => {
    if (event.key === 'Escape') actions.askToRemove(undefined);
  }}>
    <p class="person-text">Remove <b>${name}</b> from the session?</p>
    <button type="button" class="button" data-kind="danger" aria-label="Remove ${name} now" ${ref(focusWhenShown)} @click=${() => actions.remove(id)}>Remove</button>
    <button type="button" class="button" @click=${() => actions.askToRemove(undefined)}>Cancel</button>
  </li>`;
}

/** The same function at every drawing, so that it is called once, when the button appears. */
function focusWhenShown(button?: Element): void {
  if (button instanceof HTMLElement) queueMicrotask(() => button.focus());
}

function mediaSigns({ streams }: Person): TemplateResult | TemplateResult[] {
  if (streams.length === 0) return html`<span class="sign-of" role="img" aria-label="Sends nothing" title="Sends nothing">${icon('watch')}</span>`;
  return streams.map(({ hasAudio, hasVideo }) => {
    const audio = hasAudio ? 'Microphone on' : 'Microphone off';
    const video = hasVideo ? 'Camera on' : 'Camera off';
    return html`<span class="sign-of" role="img" aria-label=${audio} title=${audio} data-off=${!hasAudio}>${icon(hasAudio ? 'microphone' : 'microphoneOff')}</span>
      <span class="sign-of" role="img" aria-label=${video} title=${video} data-off=${!hasVideo}>${icon(hasVideo ? 'camera' : 'cameraOff')}</span>`;
  });
}

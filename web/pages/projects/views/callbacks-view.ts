// Where a project's events are sent, and what became of each.
import { html, nothing, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { Callback, Delivery, DeliveryStatus } from '../api.ts';
import { DELIVERIES_PAGE, type State } from '../state.ts';
import { ago, count, shortId } from '../words.ts';
import type { Actions } from './actions.ts';
import { copyButton, waiting } from './parts.ts';

const STATUSES: Readonly<Record<DeliveryStatus, string>> = { pending: 'on its way', delivered: 'delivered', set_aside: 'set aside', dead: 'given up' };
const KINDS: Readonly<Record<DeliveryStatus, string>> = { pending: 'plain', delivered: 'good', set_aside: 'warning', dead: 'danger' };
const FILTERS: readonly (readonly [string, string])[] = [['', 'All'], ['pending', 'On their way'], ['delivered', 'Delivered'], ['set_aside', 'Set aside'], ['dead', 'Given up']];

export function callbacksView(state: State, actions: Actions, nowMs: number): TemplateResult {
  const { callbacks, deliveries } = state;
  if (!callbacks) return waiting();
  return html`
    <div class="section-head"><h2>Addresses</h2>
      <button type="button" class="button" data-kind="primary" @click=${() => actions.ask({ name: 'register' })}>New callback</button></div>
    ${callbacks.callbacks.length ? html`<ul class="card rows">${repeat(callbacks.callbacks, ({ id }) => id, (one) => registration(one, actions))}</ul>` : html`<p class="empty">No event is sent anywhere.</p>`}
    <div class="section-head"><h2>Deliveries</h2>
      <button type="button" class="button" @click=${() => actions.replayAll()}>Send all that failed again</button></div>
    <div class="filters" role="group" aria-label="Which deliveries">
      ${FILTERS.map(([status, words]) => html`<button type="button" class="chip" aria-pressed=${state.deliveryFilter === status} @click=${() => actions.filterDeliveries(status)}>${words}</button>`)}
    </div>
    ${deliveries ? delivered(deliveries, actions, nowMs) : waiting()}`;
}

function delivered(deliveries: readonly Delivery[], actions: Actions, nowMs: number): TemplateResult {
  return html`${deliveries.length ? html`<ul class="card rows">${repeat(deliveries, ({ id }) => id, (one) => delivery(one, actions, nowMs))}</ul>` : html`<p class="empty">There are none.</p>`}
    ${deliveries.length && deliveries.length % DELIVERIES_PAGE === 0 ? html`<button type="button" class="button" @click=${() => actions.moreDeliveries()}>Older ones</button>` : nothing}`;
}

function registration(one: Callback, actions: Actions): TemplateResult {
  return html`<li><div class="person">
      <p><span class="tag" data-kind="plain">${one.group} ${one.event}</span> <span class="address">${one.url}</span></p>
      <p class="muted">Signed with a secret of its own ${copyButton('signature secret', one.secret, actions)}</p>
    </div>
    <button type="button" class="button" data-kind="ghost" aria-label="Remove ${one.group} ${one.event} to ${one.url}" @click=${() => actions.unregister(one.id)}>Remove</button>
  </li>`;
}

function delivery(one: Delivery, actions: Actions, nowMs: number): TemplateResult {
  const outcome = one.lastError ?? (one.lastStatus === null ? '' : `status ${one.lastStatus}`);
  const failed = one.status === 'set_aside' || one.status === 'dead';
  return html`<li><div class="person">
      <p><strong>${one.name}</strong> <span class="tag" data-kind=${KINDS[one.status]}>${STATUSES[one.status]}</span></p>
      <p class="muted address">${one.url}</p>
      <p class="muted">${ago(one.createdAtMs, nowMs)} · ${count(one.attempts, 'attempt')}${outcome ? `, last ${outcome}` : ''} · <code title=${one.sessionId}>${shortId(one.sessionId)}</code></p>
    </div>
    ${failed ? html`<button type="button" class="button" aria-label="Send ${one.name} again" @click=${() => actions.replay(one.id)}>Send again</button>` : nothing}
  </li>`;
}

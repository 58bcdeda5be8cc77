// The log of every event, with its reason and details, to filter and to copy.
import { html, nothing, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { clockTime, filterLog, LOG_KINDS, type LogEntry, type LogKind } from '../event-log.ts';
import type { State } from '../state.ts';
import type { Actions } from './actions.ts';
import { icon } from './icons.ts';

const KIND_WORDS: Readonly<Record<LogKind, string>> = {
  session: 'Session',
  connection: 'Connections',
  stream: 'Streams',
  signal: 'Signals',
  media: 'Media',
  problem: 'Problems',
};

export function eventsPanel(state: State, actions: Actions): TemplateResult {
  const shown = filterLog(state.log, state.logFilter);
  return html`<div class="log-tools">
      <div class="log-search">
        <input type="search" aria-label="Filter events" placeholder="Filter" .value=${state.logFilter.text}
          @input=${(event: Event) => actions.filterText((event.currentTarget as HTMLInputElement).value)} />
        <button type="button" class="button" ?disabled=${shown.length === 0} @click=${() => actions.copyLog()}>${icon('copy')}Copy</button>
      </div>
      <div class="chips" role="group" aria-label="Kind of event">
        ${kindChip(undefined, 'All', state, actions)}${LOG_KINDS.map((kind) => kindChip(kind, KIND_WORDS[kind], state, actions))}
      </div>
    </div>
    <ol class="log" aria-label="Events" data-keep-end tabindex="0">
      ${shown.length === 0 ? html`<li class="empty">No event ${state.log.length === 0 ? 'yet' : 'passes the filter'}.</li>` : nothing}
      ${repeat(shown, ({ number }) => number, entryView)}
    </ol>`;
}

function kindChip(kind: LogKind | undefined, title: string, state: State, actions: Actions): TemplateResult {
  return html`<button type="button" class="chip" aria-pressed=${state.logFilter.kind === kind} @click=${() => actions.filterKind(kind)}>${title}</button>`;
}

function entryView(entry: LogEntry): TemplateResult {
  const details = Object.entries(entry.details);
  const line = html`<time>${clockTime(entry.at)}</time>
    <span class="entry-type">${entry.type}</span>
    ${entry.reason === undefined ? nothing : html`<span class="entry-reason">${entry.reason}</span>`}
    <span class="entry-summary">${entry.summary}</span>`;
  return html`<li class="entry" data-kind=${entry.kind}>
    ${details.length === 0
      ? html`<div class="entry-line">${line}</div>`
      : html`<details><summary class="entry-line">${line}</summary>
          <dl>${details.map(([key, value]) => html`<dt>${key}</dt><dd>${value}</dd>`)}</dl></details>`}
  </li>`;
}

/**
 * The script for a script tag, in the era and for the server of its own address. It defines `OT` and `TB`, which are the
 * same. A page that loads scripts of both generations has the first as `TB` and the second as `OT`; what is loaded again
 * changes nothing.
 */
import { makeNamespace, Page } from './api/index.ts';
import { browserWorld } from './engine/index.ts';
import { eraOf, serverOf } from './eras/index.ts';
import { watchPage } from './lifecycle.ts';
import { logger } from './logger.ts';

/** Under which a namespace object says its generation, to whatever script of ours is loaded after it. */
const GENERATION = Symbol.for('tertulia.generation');

type Globals = Partial<Record<'OT' | 'TB', { readonly [GENERATION]?: string }>>;

const script = document.currentScript instanceof HTMLScriptElement ? document.currentScript.src : '';
const address = script === '' ? null : new URL(script, document.baseURI);
const era = eraOf(address?.pathname ?? '');
const globals = window as Globals;
const generations = (['OT', 'TB'] as const).map((name) => globals[name]?.[GENERATION]);

if (generations.includes(era.name)) logger.warn('The library is loaded already; the page keeps what it has.');
else {
  const page = new Page(era, browserWorld, address === null ? null : serverOf(address));
  page.apiKey = address?.searchParams.get('apikey') ?? '';
  const namespace = Object.assign(makeNamespace(page), { [GENERATION]: era.name });
  watchPage(page);
  const [own, alias] = era.name === 'v1' ? (['TB', 'OT'] as const) : (['OT', 'TB'] as const);
  globals[own] = namespace;
  // An element of the page with that id is found under its name as well, but is nothing that the page has defined.
  if (!Object.hasOwn(window, alias) || globals[alias] === undefined) globals[alias] = namespace;
}

/** The script for a script tag: defines `OT` and `TB`, in the era and for the server of its own address. */
import { makeNamespace, Page } from './api/index.ts';
import { browserWorld } from './engine/index.ts';
import { eraOf, serverOf } from './eras/index.ts';
import { watchPage } from './lifecycle.ts';

const script = document.currentScript instanceof HTMLScriptElement ? document.currentScript.src : '';
const address = script === '' ? null : new URL(script, document.baseURI);
const page = new Page(eraOf(address?.pathname ?? ''), browserWorld, address === null ? null : serverOf(address));
page.apiKey = address?.searchParams.get('apikey') ?? '';
const OT = makeNamespace(page);
watchPage(page);
Object.assign(window, { OT, TB: OT });

/** Reports to the server's operator. */
import { asOTError, OTError } from '../errors.ts';
import type { Page } from './page.ts';

const DEADLINE_MS = 10_000;
/** Of all streams together, as JSON; the server takes somewhat more. */
const STATISTICS_CHARACTERS = 30_000;
const STATISTICS_DEADLINE_MS = 2_000;
const DESCRIPTION_CHARACTERS = 1_000;

/**
 * Tells the server that something went wrong here, with what the page knows of its streams; resolves to the id under which
 * the operator finds it.
 */
export async function reportIssue(page: Page, client: string, description = ''): Promise<string> {
  const url = page.address('client/issues');
  if (url === null) throw new OTError('OT_REPORT_ISSUE_FAILED', 'No server is known.');
  const session = [...page.sessions].find(({ connected }) => connected);
  const report = {
    sessionId: session?.sessionId,
    connectionId: session?.connection?.connectionId,
    description: description.slice(0, DESCRIPTION_CHARACTERS),
    client: `${client}; ${navigator.userAgent}`.slice(0, 255),
    statistics: await statisticsOf(page),
  };
  try {
    // A body without a content type of its own needs no question beforehand, whatever the page's origin.
    const answer = await fetch(url, {
      method: 'POST',
      body: JSON.stringify(report),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    const { id } = (await answer.json()) as { readonly id?: unknown };
    if (typeof id === 'string') return id;
  } catch (error) {
    throw asOTError(error, 'OT_REPORT_ISSUE_FAILED');
  }
  throw new OTError('OT_REPORT_ISSUE_FAILED', 'The server did not take the report.');
}

/** Phases of sessions and the counters of streams. No names, no data, no addresses: an operator needs none of them. */
async function statisticsOf(page: Page): Promise<unknown> {
  const sessions = [...page.sessions].map(({ sessionId, currentState }) => ({ sessionId, state: currentState }));
  const publishers = [...page.publishers].map(async (publisher) => ({
    streamId: publisher.streamId,
    accessAllowed: publisher.accessAllowed,
    stats: await known(publisher.getStats().then((entries) => entries.map(({ stats }) => stats))),
  }));
  const subscribers = [...page.subscribers].map(async (subscriber) => ({
    streamId: subscriber.streamId,
    stats: await known(subscriber.getStats()),
  }));
  const all = { sessions, publishers: await Promise.all(publishers), subscribers: await Promise.all(subscribers) };
  while (JSON.stringify(all).length > STATISTICS_CHARACTERS && all.subscribers.length > 0) all.subscribers.pop();
  return JSON.stringify(all).length > STATISTICS_CHARACTERS ? null : all;
}

/** What `work` yields; null if it fails, or takes longer than a report can wait. */
async function known(work: Promise<unknown>): Promise<unknown> {
  const late = new Promise<null>((resolve) => {
    setTimeout(() => {
      resolve(null);
    }, STATISTICS_DEADLINE_MS);
  });
  return Promise.race([work.catch(() => null), late]);
}

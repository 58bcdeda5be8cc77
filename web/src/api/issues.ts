/** Reports to the server's operator. */
import { asOTError, OTError } from '../errors.ts';
import type { Page } from './page.ts';

const DEADLINE_MS = 10_000;

/** Tells the server that something went wrong here; resolves to the id under which its log has it. */
export async function reportIssue(page: Page): Promise<string> {
  const url = page.address('client/issues');
  if (url === null) throw new OTError('OT_REPORT_ISSUE_FAILED', 'No server is known.');
  const session = [...page.sessions].find(({ connected }) => connected);
  const report = { sessionId: session?.sessionId, connectionId: session?.connection?.connectionId };
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

/** Reports of issues as the first era has them: once for a page, told by an event. */
import { Event, queueEvent, reportIssue, type Page } from '../../api/index.ts';
import { OTError } from '../../errors.ts';
import { logger } from '../../logger.ts';

const DESCRIPTION_CHARACTERS = 300;
const DEADLINE_MS = 7_000;

export class IssueReportedEvent extends Event {
  /** 32 capital digits, by which the operator finds the report. */
  constructor(readonly issueId: string) {
    super('issueReported');
  }
}

const reported = new WeakSet<Page>();

/** Leads to `issueReported` on TB, or to exception 2010. Only the first call on a page does anything. */
export function reportIssueOnce(page: Page, client: string, description: unknown): void {
  if (reported.has(page)) {
    logger.warn('reportIssue() has no effect: an issue has been reported from this page.');
    return;
  }
  reported.add(page);
  const late = new Promise<never>((_resolve, reject) => {
    setTimeout(() => {
      reject(new Error(`The server did not answer within ${DEADLINE_MS / 1000} s.`));
    }, DEADLINE_MS);
  });
  const text = String(description ?? '').slice(0, DESCRIPTION_CHARACTERS);
  Promise.race([reportIssue(page, client, text), late]).then(
    (id) => {
      const issueId = id.replaceAll('-', '').toUpperCase();
      if (page.namespace !== null) queueEvent(page.namespace, new IssueReportedEvent(issueId));
    },
    (thrown: unknown) => {
      page.raise(new OTError('OT_REPORT_ISSUE_FAILED', (thrown as Error).message), page.namespace);
    },
  );
}

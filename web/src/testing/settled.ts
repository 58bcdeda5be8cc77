/** Waiting for everything that is queued, without a clock. */
import { queueJob } from '../api/tasks.ts';

/** Resolves when every job queued so far, and what those jobs queued in turn, has run. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 8; round += 1)
    await new Promise<void>((resolve) => {
      queueJob(resolve);
    });
}

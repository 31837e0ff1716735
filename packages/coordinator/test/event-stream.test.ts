import { systemClock } from '@folkmoot/transport/clock.js';
import { expect, it } from 'vitest';
import { eventStream, type Following } from '../src/event-stream.ts';
import type { JobView } from '../src/job-view.ts';
import type { Entry } from '../src/lifecycle.ts';
import type { NumberedEntry } from '../src/store.ts';

it('a followed job’s last entry is told, though it came between the look at the history and that at the job', async () => {
  const entry: Entry = { type: 'state', state: 'DONE', attempt: 1 };
  const stored: NumberedEntry[] = [];
  let ended = 0;
  const coordinator: Following['coordinator'] = {
    entries: async (_, __, after) => stored.filter(({ sequence }) => sequence > after),
    follow: () => () => undefined,
    progress: () => undefined,
    // Another coordinator leads the job, and its last step comes just now.
    async view() {
      if (stored.length === 0) stored.push({ sequence: 1, atMs: 0, entry });
      return { state: 'DONE' } as JobView;
    },
  };
  const options = { coordinator, clock: systemClock, analyst: 'owl', job: 'a', after: 0, onEnd: () => ended++ };
  expect(await new Response(eventStream(options)).text()).toContain('"state":"DONE"');
  expect(ended).toBe(1);
});

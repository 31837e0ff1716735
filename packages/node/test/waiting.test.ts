import type { ApprovalTerms } from '@folkmoot/core/approval.js';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMembership, readNodeConfig } from '../src/config.ts';
import type { JobState } from '../src/lifecycle.ts';
import { openStore, type Store } from '../src/store.ts';
import { reportWaiting } from '../src/waiting.ts';
import { type Consortium, idOf, makeConsortium } from './consortium.ts';

let consortium: Consortium;
let store: Store;

beforeEach(async () => {
  consortium = await makeConsortium(51);
  store = openStore(`${consortium.folder}/state`, () => 0);
});
afterEach(() => {
  store.close();
  consortium.dispose();
});

describe('the list of jobs that wait for a person', () => {
  it('names one that the charter does not fit any more, with the reason, and shows the others', async () => {
    const config = await readNodeConfig(consortium.configFile('camden'), {});
    const { charter } = await readMembership(config);
    const hold = { terms: {} as ApprovalTerms, rule: 'by hand', approvers: 1 };
    const wait = (signed: SignedJob): string => {
      const common = { job: idOf(signed), signed, attempt: 1, expiresMs: 1 };
      store.save({ ...common, status: 'RECEIVED' });
      store.save({ ...common, status: 'AWAITING_APPROVAL', hold } as JobState);
      return common.job;
    };
    const { envelope, signature } = consortium.signed();
    const old = wait({ envelope: { ...envelope, job: { ...envelope.job, from: 'tenants' } }, signature } as SignedJob);
    const good = wait(consortium.signed());
    const report = reportWaiting(store.waiting(), { config, charter, store, nowMs: Date.now() });
    expect(report.waiting.map(({ job }) => job)).toEqual([good]);
    expect(report.unshown).toMatchObject([{ job: old, report: { field: 'from' } }]);
    expect(report.more).toBe(0);
  });
});

import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { auditDuty } from '../src/audit-duty.ts';
import { type AuditedParties, makeAuditedParties } from './audited-parties.ts';

const dayMs = 24 * 3600 * 1000;

let all: AuditedParties;
afterEach(() => all.dispose());

/** As a node does at its start. */
const duty = () =>
  auditDuty(all.store('camden'), all.self('camden'), {
    clock: { now: () => all.nowMs, after: () => () => {} },
    log: pino({ level: 'silent' }),
  });
const dropped = () =>
  all
    .store('camden')
    .audit.rows()
    .filter(({ payload }) => payload === null).length;

describe('what was refused', () => {
  it('is entered, and no more than ten of it a minute', async () => {
    all = await makeAuditedParties();
    all.job('one');
    const { refused } = duty();
    const kinds = () =>
      all
        .store('camden')
        .audit.rows()
        .map(({ payload }) => JSON.parse(payload!) as { kind: string })
        .filter(({ kind }) => kind.endsWith('-refused'));
    refused({ kind: 'invitation-refused', job: 'ab'.repeat(32), code: 'BUSY' });
    for (let n = 0; n < 20; n++) refused({ kind: 'coordinator-refused', job: 'one', epoch: n });
    expect(kinds().length).toBe(10);
    expect(kinds().slice(0, 2)).toMatchObject([
      { kind: 'invitation-refused', code: 'BUSY' },
      { kind: 'coordinator-refused', job: 'one', epoch: 0 },
    ]);
    all.nowMs += 60_000;
    refused({ kind: 'coordinator-refused', job: 'one', epoch: 30 });
    expect(kinds().length).toBe(11);
  });
});

describe('what is older than the charter keeps it', () => {
  it('is dropped at the start, and once a day, whether jobs come or not', async () => {
    all = await makeAuditedParties('audit: { retention_days: 30 }');
    const sizes = ['one', 'two', 'three'].map((name) => {
      all.job(name);
      all.nowMs += dayMs / 2;
      return all.store('camden').audit.size();
    });
    all.nowMs += 28.75 * dayMs;
    const { tick } = duty();
    tick();
    expect(dropped()).toBe(sizes[0]);
    all.nowMs += dayMs / 2;
    tick();
    expect(dropped()).toBe(sizes[0]);
    all.nowMs += dayMs / 2;
    tick();
    expect(dropped()).toBeGreaterThanOrEqual(sizes[1]!);
    duty().tick();
    expect(dropped()).toBe(sizes[2]);
  });

  it('is kept where the charter says nothing of it', async () => {
    all = await makeAuditedParties();
    all.job('one');
    all.nowMs += 1000 * dayMs;
    duty().tick();
    expect(dropped()).toBe(0);
  });
});

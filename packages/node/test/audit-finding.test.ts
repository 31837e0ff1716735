import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditFinding } from '../src/audit-finding.ts';
import { type AuditedParties, makeAuditedParties } from './audited-parties.ts';

let all: AuditedParties;
beforeEach(async () => {
  all = await makeAuditedParties();
});
afterEach(() => all.dispose());

const look = () => auditFinding(all.store('camden'), 'camden', all.charter, all.nowMs);

describe('the audit log as a doctor sees it', () => {
  it('is whole, and says how far others have countersigned it', async () => {
    expect(await look()).toEqual({
      check: 'audit log',
      level: 'ok',
      text: 'whole; 0 entries, which nobody has countersigned yet',
    });
    for (const name of ['one', 'two']) all.job(name);
    expect(await look()).toMatchObject({
      level: 'ok',
      text: expect.stringMatching(/^whole; \d+ entries, countersigned by hackney, islington but for the last 7$/),
    });
  });

  it('is not what was entered once an administrator has changed an entry', async () => {
    for (const name of ['one', 'two']) all.job(name);
    all.administer('camden', (db) =>
      db.exec(`UPDATE audit SET payload = replace(payload, 'one', 'eno') WHERE entry = 2`),
    );
    expect(await look()).toMatchObject({
      level: 'fail',
      text: expect.stringContaining('entry 2 is not what was entered [CHANGED]'),
      remedy: expect.stringContaining('keep a copy'),
    });
  });

  it('is an older copy where another party holds a later head, until its owner has confirmed that', async () => {
    all.job('one');
    const restore = all.backUp('camden');
    all.job('two');
    restore();
    const later = all.store('hackney').heads.last('camden');
    all.store('camden').audited((_, nowMs, heads) => heads.confront(later, 'hackney', all.self('camden'), nowMs));
    expect(await look()).toMatchObject({
      level: 'fail',
      text: expect.stringContaining('STATE_RESTORED'),
      remedy: expect.stringContaining('folkmoot audit confirm'),
    });
  });
});

import { readFileSync } from 'node:fs';
import { commitmentOf, leafOf } from '@folkmoot/core/audit-entry.js';
import { type AuditExport, exportText, parseExport } from '@folkmoot/core/audit-export.js';
import { signHead } from '@folkmoot/core/audit-head.js';
import { compareCopies, compareWitness, verifyAudit } from '@folkmoot/core/audit-verification.js';
import { fromHex, toHex } from '@folkmoot/core/bytes.js';
import { charterHash } from '@folkmoot/core/charter.js';
import { canonicalJson } from '@folkmoot/core/hash.js';
import { append, type NodeAt } from '@folkmoot/core/merkle-tree.js';
import type Database from 'better-sqlite3';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportAudit, verifyStored } from '../src/audit-report.ts';
import { type AuditedParties, makeAuditedParties, type Party, parties } from './audited-parties.ts';

let all: AuditedParties;
beforeEach(async () => {
  all = await makeAuditedParties();
});
afterEach(() => all.dispose());

const verify = (party: Party = 'camden') => verifyStored(all.store(party), party, all.charter, all.nowMs);
const exported = (party: Party, job?: string): AuditExport => {
  const by = { party, charter: charterHash(all.charter), nowMs: all.nowMs };
  return parseExport(exportText(exportAudit(all.store(party), by, job)), `${party}.log`);
};
const witnessed = (by: Party) => compareWitness(exported('camden'), exported(by), all.charter).findings;

/** What an insider with the party's own key can do: the whole tree again over other entries, and every head signed anew. */
function rewrite(db: Database.Database, of: AuditedParties): void {
  const rows = db.prepare('SELECT entry, salt, payload FROM audit ORDER BY entry').all() as {
    entry: number;
    salt: string;
    payload: string;
  }[];
  db.exec('DELETE FROM audit_nodes');
  const nodes = new Map<string, Uint8Array>();
  const at: NodeAt = (level, index) => nodes.get(`${level}/${index}`)!;
  rows.forEach(({ entry, salt, payload }, size) => {
    const commitment = toHex(commitmentOf(fromHex(salt), payload));
    db.prepare('UPDATE audit SET entry = ?, commitment = ? WHERE entry = ?').run(size, commitment, entry);
    for (const { level, index, hash } of append(size, leafOf(commitment), at)) {
      nodes.set(`${level}/${index}`, hash);
      db.prepare('INSERT INTO audit_nodes VALUES (?, ?, ?)').run(level, index, toHex(hash));
    }
  });
  db.exec('DELETE FROM audit_countersignatures; DELETE FROM audit_heads');
  if (rows.length === 0) return;
  const { party, charterHash: charter, sign } = of.self('camden');
  const head = { party, charter, size: 1, root: toHex(at(0, 0)), totals: [], at: '2026-11-22T09:00:00.000Z' };
  db.prepare('INSERT INTO audit_heads VALUES (1, ?)').run(JSON.stringify(signHead(head, sign)));
}

describe('a log that nobody touched', () => {
  it('verifies, says who has countersigned it up to where, and names the tail', () => {
    for (const name of ['one', 'two', 'three']) all.job(name);
    for (const party of parties) {
      const report = verify(party);
      expect(report).toMatchObject({ ok: true, findings: [], dropped: 0 });
      expect(report.countersigned!.by).toEqual(parties.filter((other) => other !== party));
      // What follows the heads of the last job: two countersigned, attempt, commitment, charge, opening, end.
      expect(report.tail).toBe(7);
      expect(verifyAudit(exported(party), { charter: all.charter })).toEqual(report);
    }
    for (const by of ['hackney', 'islington'] as const) expect(witnessed(by)).toEqual([]);
  });

  it('proves single jobs by entries of theirs alone', () => {
    for (const name of ['one', 'two', 'three']) all.job(name);
    const log = exported('camden', 'two');
    expect(log.entries.map(({ text }) => JSON.parse(text!).job)).toEqual(Array(7).fill('two'));
    const report = verifyAudit(log, { charter: all.charter });
    expect(report).toMatchObject({ ok: true, job: 'two', tail: 0 });
    expect(report.countersigned!.by).toEqual(['hackney', 'islington']);
    expect(verifyAudit(exported('camden', 'three'), { charter: all.charter })).toMatchObject({ ok: true, tail: 5 });
    expect(() => exported('camden', 't')).toThrow(expect.objectContaining({ code: 'BAD_VALUE', field: 'job' }));

    // Others that were left out do not show; the one that every job begins with does.
    const cut = (kept: typeof log.entries) => verifyAudit({ ...log, entries: kept }, { charter: all.charter });
    expect(cut(log.entries.slice(0, 1))).toMatchObject({ ok: true });
    for (const kept of [[], log.entries.slice(1)]) {
      expect(cut(kept)).toMatchObject({ ok: false, findings: [{ code: 'MISSING', party: 'camden' }] });
    }

    const entry = log.entries[3]!;
    const changed = { ...entry, text: entry.text!.replace('two', 'four') };
    const other = { ...log, entries: log.entries.with(3, changed) };
    expect(verifyAudit(other, { charter: all.charter }).findings).toMatchObject([
      { code: 'CHANGED', entry: entry.entry },
    ]);
    const head = { ...log.heads[0]!, proof: log.heads[0]!.proof!.slice(1) };
    expect(verifyAudit({ ...log, heads: [head] }, { charter: all.charter }).findings).toMatchObject([
      { code: 'FORKED' },
    ]);
  });

  it('still verifies when texts were dropped after the charter’s time, and says so', async () => {
    all.dispose();
    all = await makeAuditedParties('audit: { retention_days: 30 }');
    for (const name of ['one', 'two']) all.job(name);
    all.nowMs += 40 * 24 * 3600 * 1000;
    all.store('camden').audited((log, nowMs) => log.drop(30, nowMs));
    all.job('three');
    expect(verify()).toMatchObject({ ok: true, findings: [], dropped: 19 });
    expect(verifyAudit(exported('camden'), { charter: all.charter })).toMatchObject({ ok: true, dropped: 19 });
    expect(JSON.stringify(exported('camden'))).not.toContain('About one');
    for (const by of ['hackney', 'islington'] as const) expect(witnessed(by)).toEqual([]);
  });
});

describe('an edit by an administrator', () => {
  const tampered = (work: (db: Database.Database) => void) => {
    for (const name of ['one', 'two', 'three']) all.job(name);
    all.administer('camden', work);
    return verify();
  };

  it('of a text is found at its entry', () => {
    const sql = `UPDATE audit SET payload = replace(payload, '"micro":"1500000"', '"micro":"1"') WHERE entry = 7`;
    expect(tampered((db) => db.exec(sql)).findings).toMatchObject([{ code: 'CHANGED', party: 'camden', entry: 7 }]);
  });

  it('of a text together with its commitment is found at its entry, by the tree', () => {
    const report = tampered((db) => {
      db.exec(`UPDATE audit SET payload = replace(payload, 'About one', 'About tea') WHERE entry = 1`);
      const { salt, payload } = db.prepare('SELECT salt, payload FROM audit WHERE entry = 1').get() as {
        salt: string;
        payload: string;
      };
      db.prepare('UPDATE audit SET commitment = ? WHERE entry = 1').run(toHex(commitmentOf(fromHex(salt), payload)));
    });
    expect(report.findings).toMatchObject([{ code: 'CHANGED', entry: 1 }]);
  });

  it('of another form, and of the stored tree, is found too', () => {
    expect(tampered((db) => db.exec(`UPDATE audit SET payload = '7' WHERE entry = 2`)).findings).toContainEqual(
      expect.objectContaining({ code: 'CHANGED', entry: 2 }),
    );
    all.administer('camden', (db) =>
      db.exec(`UPDATE audit_nodes SET hash = '${'00'.repeat(32)}' WHERE level = 2 AND place = 1`),
    );
    expect(verify().findings).toContainEqual(expect.objectContaining({ code: 'CHANGED', between: [4, 8] }));
    expect(() => all.job('four')).not.toThrow(expect.objectContaining({ code: 'INTERNAL' }));
    all.administer('camden', (db) => db.exec('DELETE FROM audit_nodes WHERE level >= 2'));
    expect(() => all.store('camden').audit.root()).toThrow(expect.objectContaining({ code: 'AUDIT_BROKEN' }));
    expect(verify().ok).toBe(false);
  });

  it('that takes an entry out is found where it stood', () => {
    expect(tampered((db) => db.exec('DELETE FROM audit WHERE entry = 5')).findings).toMatchObject([
      { code: 'MISSING', entry: 5 },
    ]);
  });

  it('that takes the last entries out is found by the tree that is left', () => {
    const { findings } = tampered((db) => db.exec('DELETE FROM audit WHERE entry > 25'));
    expect(findings).toContainEqual(expect.objectContaining({ code: 'MISSING', entry: 26 }));
  });

  it('that puts two entries into another order is found at the first', () => {
    const { findings } = tampered((db) =>
      db.exec(
        'UPDATE audit SET entry = -1 WHERE entry = 4; UPDATE audit SET entry = 4 WHERE entry = 6; UPDATE audit SET entry = 6 WHERE entry = -1',
      ),
    );
    expect(findings).toContainEqual(expect.objectContaining({ code: 'CHANGED', entry: 4 }));
    expect(findings).toContainEqual(expect.objectContaining({ code: 'CHANGED', entry: 6 }));
  });

  it('of the ledger is found by the log', () => {
    const { findings } = tampered((db) => db.exec(`UPDATE ledger SET micro = 1 WHERE kind = 'charge' AND job = 'two'`));
    expect(findings).toMatchObject([{ code: 'TOTALS' }]);
  });

  it('of a head, or of a countersignature, is found', () => {
    expect(
      tampered((db) => db.exec(`UPDATE audit_heads SET head = replace(head, '1500000', '15')`)).findings,
    ).toContainEqual(expect.objectContaining({ code: 'BAD_SIGNATURE', party: 'camden' }));
    all.administer('hackney', (db) =>
      db.exec(`UPDATE audit_countersignatures SET signature = '${'00'.repeat(64)}' WHERE by = 'camden'`),
    );
    expect(verify('hackney').findings).toContainEqual(expect.objectContaining({ code: 'BAD_SIGNATURE' }));
  });

  it('that drops texts which the charter keeps is found', () => {
    expect(
      tampered((db) => db.exec('UPDATE audit SET salt = NULL, payload = NULL WHERE entry = 3')).findings,
    ).toMatchObject([{ code: 'DROPPED', entry: 3 }]);
    all.store('camden').audited((log, nowMs) => log.drop(1, nowMs + 2 * 24 * 3600 * 1000));
    expect(verify().findings).toMatchObject([{ code: 'DROPPED' }]);
  });
});

describe('an insider with the party’s own key', () => {
  const rewritten = (work: (db: Database.Database) => void) => {
    for (const name of ['one', 'two', 'three']) all.job(name);
    all.administer('camden', (db) => {
      work(db);
      rewrite(db, all);
    });
    return verify();
  };

  it('who writes an entry anew, with tree and heads, is found out by what another party holds', () => {
    const report = rewritten((db) => db.exec(`UPDATE audit SET payload = replace(payload, 'About two', 'About tea')`));
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ countersigned: null, tail: report.size });
    for (const by of ['hackney', 'islington'] as const) {
      expect(witnessed(by)).toMatchObject([{ code: 'FORKED', party: 'camden', between: [3, 12] }]);
    }
  });

  it('who cuts the log, and makes the tree anew, is found out likewise', () => {
    const report = rewritten((db) => db.exec('DELETE FROM audit WHERE entry >= 9'));
    expect(report.findings.filter(({ code }) => code !== 'TOTALS')).toEqual([]);
    expect(witnessed('hackney')).toMatchObject([{ code: 'ROLLED_BACK', between: [9, 12] }]);
  });

  it('cannot have the tail countersigned that he changed after others saw it', () => {
    rewritten((db) => db.exec(`UPDATE audit SET payload = replace(payload, 'About one', 'About tea')`));
    const from = all.store('camden').audited((log, nowMs, heads) => ({
      ...heads.offer([], all.self('camden'), nowMs),
      proofs: [3, 12, 21].map((size) => ({ from: size, hashes: log.consistency(size, log.size()) })),
    }));
    expect(() => all.witness('hackney', { camden: from })).toThrow(
      expect.objectContaining({ code: 'AUDIT_FORKED', party: 'camden' }),
    );
  });

  it('is found out by a copy of his own log of an earlier day too', () => {
    for (const name of ['one', 'two']) all.job(name);
    const before = exported('camden');
    all.job('three');
    expect(compareCopies(exported('camden'), before)).toEqual([]);
    expect(compareCopies(before, exported('camden'))).toMatchObject([{ code: 'ROLLED_BACK' }]);
    all.administer('camden', (db) => {
      db.exec(`UPDATE audit SET payload = replace(payload, 'About two', 'About tea') WHERE entry = 10`);
      rewrite(db, all);
    });
    expect(compareCopies(exported('camden'), before)).toMatchObject([{ code: 'FORKED', entry: 10 }]);
  });
});

/** Any change of the part that was countersigned, by whoever can write the file and sign as the party. */
describe('whatever is changed of what was countersigned', () => {
  it('is found by the log itself or by what another party holds', () => {
    for (const name of ['one', 'two']) all.job(name);
    const hackney = exported('hackney');
    const putBack = all.backUp('camden');
    const signed = verify().countersigned!.size;
    const change = fc.record({
      entry: fc.nat(signed - 1),
      how: fc.constantFrom('edit', 'delete', 'swap', 'cut', 'insert'),
      other: fc.nat(signed - 1),
      hides: fc.boolean(),
    });
    void fc.assert(
      fc.property(change, ({ entry, how, other, hides }) => {
        putBack();
        all.administer('camden', (db) => {
          tamper(db, how, entry, other === entry ? (entry + 1) % signed : other);
          if (hides) rewrite(db, all);
        });
        const found = [...verify().findings, ...compareWitness(exported('camden'), hackney, all.charter).findings];
        expect(found.length, `${how} at ${entry}`).toBeGreaterThan(0);
      }),
      { numRuns: 15 },
    );
  });

  function tamper(db: Database.Database, how: string, entry: number, other: number): void {
    if (how === 'edit') {
      const text = canonicalJson({ at: '2026-11-22T09:00:00.000Z', kind: 'end', job: 'one', end: 'CANCELLED' });
      db.prepare('UPDATE audit SET payload = ? WHERE entry = ?').run(text, entry);
    } else if (how === 'delete') db.prepare('DELETE FROM audit WHERE entry = ?').run(entry);
    else if (how === 'cut') db.prepare('DELETE FROM audit WHERE entry >= ?').run(entry);
    else {
      const shift =
        how === 'insert'
          ? `UPDATE audit SET entry = -entry - 2 WHERE entry >= ${entry};
        UPDATE audit SET entry = -entry - 1 WHERE entry < 0;
        INSERT INTO audit (entry, commitment, salt, payload) SELECT ${entry}, commitment, salt, payload FROM audit WHERE entry = 0`
          : `UPDATE audit SET entry = -1 WHERE entry = ${entry}; UPDATE audit SET entry = ${entry} WHERE entry = ${other};
        UPDATE audit SET entry = ${other} WHERE entry = -1`;
      db.exec(entry === 0 && how === 'insert' ? 'DELETE FROM audit WHERE entry = 0' : shift);
    }
  }
});

describe('an exported log', () => {
  it('says nothing of sealed bytes but their hash and size', () => {
    all.job('one');
    const text = exportText(exported('camden'));
    for (const form of ['AQID/w==', '010203ff']) expect(text).not.toContain(form);
    expect(readFileSync(new URL(import.meta.url), 'utf8')).toContain('AQID/w==');
  });
});

import { describe, expect, it } from 'vitest';
import { toHex } from '../src/algebra/bytes.ts';
import { append, consistencyProof, leafHash, type NodeAt, rootOf } from '../src/algebra/merkle-tree.ts';
import { added, atMost, fallen, type LedgerTotal, raised, type StatedTotal } from '../src/query/audit-entry.ts';
import { exportText, parseExport } from '../src/query/audit-export.ts';
import {
  checkOffer,
  countersign,
  follows,
  type Head,
  type HeadOffer,
  isCountersigned,
  signHead,
} from '../src/query/audit-head.ts';
import { charterHash } from '../src/query/charter.ts';
import { signer } from '../src/query/identity.ts';
import { sealed, seedOf } from './consortium.ts';

const charter = sealed();
const hash = charterHash(charter);
const issued = Date.parse('2026-11-22T12:00:00Z');

function treeOf(name: string, count: number): NodeAt {
  const nodes = new Map<string, Uint8Array>();
  const at: NodeAt = (level, index) => nodes.get(`${level}/${index}`)!;
  for (let size = 0; size < count; size++) {
    const leaf = leafHash(new TextEncoder().encode(`${name} ${size}`));
    for (const node of append(size, leaf, at)) nodes.set(`${node.level}/${node.index}`, node.hash);
  }
  return at;
}
const trees = { true: treeOf('true', 40), other: treeOf('other', 40) };

const total = (micro: number, period = '2026-Q4'): StatedTotal => ({
  ...{ dataset: 'residents', period, unit: 'epsilon', micro: String(micro), pico: '0' },
  reserved: { micro: '2', pico: '1' },
});
const plain = ({ reserved: _, ...total }: StatedTotal): LedgerTotal => total;

interface Shown extends Partial<Head> {
  readonly tree?: keyof typeof trees;
  readonly from?: readonly number[];
  readonly minute?: number;
}
/** Of a log of `size` entries; its instant is that many minutes after noon unless it is said. */
function offer({ tree = 'true', from = [], minute, ...head }: Shown & { size: number }, by = 'camden'): HeadOffer {
  const at = trees[tree];
  const stated: Head = {
    party: 'camden',
    charter: hash,
    root: toHex(rootOf(head.size, at)),
    totals: [total(head.size)],
    at: new Date(issued + (minute ?? head.size) * 60_000).toISOString(),
    ...head,
  };
  const proofs = from.map((one) => ({ from: one, hashes: consistencyProof(one, head.size, at).map(toHex) }));
  return { head: signHead(stated, signer(seedOf(by))), proofs };
}
const last = offer({ size: 10 }).head.head;
const fault = (code: string) => expect.objectContaining({ code, party: 'camden' });
/** The last one was signed here a minute after it was shown. */
const signedMs = Date.parse(last.at) + 60_000;
const look = (one: HeadOffer, jobIssued = issued) => follows(one, last, jobIssued, signedMs);

describe('a head of an audit log', () => {
  it('follows the last one by a proof, and by none where there was none', () => {
    expect(follows(offer({ size: 20 }), undefined, issued, signedMs)).toBe('grown');
    expect(look(offer({ size: 20, from: [5, 10] }))).toBe('grown');
    expect(look(offer({ size: 10 }))).toBe('same');
  });

  it('has forked where its entries are others, or the proof is of another log', () => {
    expect(() => look(offer({ size: 20, tree: 'other', from: [10] }))).toThrow(fault('AUDIT_FORKED'));
    expect(() => look(offer({ size: 10, tree: 'other' }))).toThrow(fault('AUDIT_FORKED'));
    const borrowed = { ...offer({ size: 20, tree: 'other' }), proofs: offer({ size: 20, from: [10] }).proofs };
    expect(() => look(borrowed)).toThrow(fault('AUDIT_FORKED'));
  });

  it('is unproven where no proof leads from the last one', () => {
    expect(() => look(offer({ size: 20, from: [9, 11] }))).toThrow(fault('AUDIT_UNPROVEN'));
  });

  it('was rolled back where it is smaller, or its ledger has spent less', () => {
    expect(() => look(offer({ size: 9, minute: 11 }))).toThrow(fault('AUDIT_ROLLED_BACK'));
    const poorer = { totals: [total(9)] };
    expect(() => look(offer({ size: 20, from: [10], ...poorer }))).toThrow(fault('AUDIT_ROLLED_BACK'));
    expect(() => look(offer({ size: 10, ...poorer }))).toThrow(fault('AUDIT_ROLLED_BACK'));
    expect(() => look(offer({ size: 20, from: [10], totals: [] }))).toThrow(fault('AUDIT_ROLLED_BACK'));
  });

  it('may be older than the last one only where it and its job are older than that', () => {
    expect(look(offer({ size: 9 }))).toBe('stale');
    const later = Date.parse(last.at) + 120_001;
    expect(() => look(offer({ size: 9 }), later)).toThrow(fault('AUDIT_ROLLED_BACK'));
  });

  it('needs no proof where it and its job are older than the signature under the last one, and is not signed', () => {
    const until = signedMs + 120_000;
    const atEnd = new Date(until).toISOString();
    const after = new Date(until + 1).toISOString();
    expect(look(offer({ size: 20, from: [9], at: atEnd }), until)).toBe('stale');
    expect(look(offer({ size: 20, from: [10], at: atEnd }), until)).toBe('grown');
    expect(() => look(offer({ size: 20, from: [9], at: after }))).toThrow(fault('AUDIT_UNPROVEN'));
    expect(() => look(offer({ size: 20, from: [9], at: atEnd }), until + 1)).toThrow(fault('AUDIT_UNPROVEN'));
    const poorer = { size: 20, from: [9], at: atEnd, totals: [total(9)] };
    expect(() => look(offer(poorer))).toThrow(fault('AUDIT_ROLLED_BACK'));
  });

  it('may go on from just the state that it says it lost, if nothing is unspent by that', () => {
    const lost = [
      { size: 3, root: 'ab'.repeat(32) },
      { size: 10, root: last.root },
    ];
    const restored = { tree: 'other' as const, restored: lost, totals: [total(10)] };
    expect(look(offer({ size: 7, minute: 30, ...restored }))).toBe('restored');
    expect(look(offer({ size: 10, ...restored }))).toBe('restored');
    expect(() => look(offer({ size: 7, minute: 30, ...restored, totals: [total(9)] }))).toThrow(
      fault('AUDIT_ROLLED_BACK'),
    );
    const others = { ...restored, restored: [{ size: 10, root: 'ab'.repeat(32) }] };
    expect(() => look(offer({ size: 7, minute: 30, ...others }))).toThrow(fault('AUDIT_ROLLED_BACK'));
    expect(() => look(offer({ size: 20, from: [10], ...others }))).toThrow(fault('AUDIT_FORKED'));
  });

  it.each<[string, unknown]>([
    ['is missing', undefined],
    ['has no form', { head: 7 }],
    ['is another party’s', offer({ size: 5, party: 'hackney' }, 'hackney')],
    ['is signed by another party', offer({ size: 5 }, 'hackney')],
    ['is of another charter', offer({ size: 5, charter: 'cd'.repeat(32) })],
    ['was changed', { ...offer({ size: 5 }), head: { ...offer({ size: 5 }).head, head: last } }],
  ])('is not taken where it %s', (_, given) => {
    expect(() => checkOffer(given, 'camden', charter, hash)).toThrow(fault('AUDIT_UNPROVEN'));
  });

  it('is countersigned by one party, for that head', () => {
    expect(checkOffer(offer({ size: 10 }), 'camden', charter, hash)).toEqual(offer({ size: 10 }));
    const signature = countersign(last, 'hackney', signer(seedOf('hackney')));
    expect(isCountersigned(last, 'hackney', signature, charter)).toBe(true);
    expect(isCountersigned(last, 'islington', signature, charter)).toBe(false);
    expect(isCountersigned({ ...last, size: 11 }, 'hackney', signature, charter)).toBe(false);
    expect(isCountersigned(last, 'hackney', 'zz', charter)).toBe(false);
    expect(isCountersigned(last, 'nobody', signature, charter)).toBe(false);
  });
});

describe('what a ledger has spent', () => {
  it('is added to, raised, and seen to fall, dataset by dataset and period by period', () => {
    const [q3, q4] = [total(5, '2026-Q3'), total(7)];
    expect(added([q3, q4], total(1))).toEqual([q3, plain(total(8))]);
    expect(added([], q4)).toEqual([plain(q4)]);
    expect(atMost(q4)).toEqual({ ...plain(total(9)), pico: '1' });
    expect(raised([q3, total(9)], [q4, total(6, '2026-Q3')])).toEqual([total(6, '2026-Q3'), total(9)]);
    expect(fallen([q3, q4], [q4])).toEqual(q3);
    expect(fallen([q3, q4], [q3, { ...q4, micro: '6' }])).toEqual(q4);
    expect(fallen([q3], [q3, q4])).toBeUndefined();
  });
});

describe('an exported log', () => {
  const log = {
    header: { folkmoot_audit: 1, party: 'camden', charter: hash, exported: last.at, size: 2, root: 'ab'.repeat(32) },
    entries: [
      { entry: 0, salt: null, text: null, commitment: 'cd'.repeat(32) },
      {
        entry: 1,
        salt: 'ef'.repeat(32),
        text: '{"at":"2026-11-22T12:00:00.000Z","kind":"period"}',
        proof: [last.root],
      },
    ],
    heads: [{ head: offer({ size: 10 }).head, proof: [] }],
    countersignatures: [{ size: 10, by: 'hackney', signature: '12'.repeat(64) }],
    witnessed: [{ head: offer({ size: 5, party: 'hackney' }, 'hackney').head, countersignature: '34'.repeat(64) }],
  } as const;

  it('is read back as it was written', () => {
    expect(parseExport(exportText(log), 'camden.log')).toEqual(log);
  });

  it.each<[string, (lines: string[]) => string[], string, number | undefined]>([
    ['is empty', () => [], 'BAD_SYNTAX', undefined],
    ['has a line that is no JSON', (lines) => lines.with(2, '{"entry":'), 'BAD_SYNTAX', 3],
    ['has a line that is no object', (lines) => lines.with(2, '7'), 'BAD_SYNTAX', 3],
    ['has a first line of another version', (lines) => lines.with(0, lines[0]!.replace('1', '2')), 'BAD_VALUE', 1],
    ['has an entry without a number', (lines) => lines.with(1, '{"entry":"0","commitment":"ab"}'), 'BAD_VALUE', 2],
    ['has a line of another form', (lines) => lines.with(1, '{"note":1}'), 'UNKNOWN_KEY', 2],
  ])('is not read where it %s', (_, change, code, line) => {
    const text = change(exportText(log).split('\n')).join('\n');
    expect(() => parseExport(text, 'camden.log')).toThrow(expect.objectContaining({ code, line }));
  });
});

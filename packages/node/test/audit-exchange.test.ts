import { compareWitness } from '@folkmoot/core/audit-verification.js';
import { charterHash } from '@folkmoot/core/charter.js';
import { framePayloadBytesMax } from '@folkmoot/transport/frame.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportAudit, verifyStored } from '../src/audit-report.ts';
import { type AuditedParties, lifeOf, makeAuditedParties, type Party, parties } from './audited-parties.ts';

let all: AuditedParties;
beforeEach(async () => {
  all = await makeAuditedParties();
});
afterEach(() => all.dispose());

const code = (wanted: string, party = 'camden') => expect.objectContaining({ code: wanted, party });
const kinds = (party: Party) =>
  all
    .store(party)
    .audit.rows()
    .map(({ payload }) => JSON.parse(payload!).kind);
const spent = (party: Party) => all.store(party).ledger.totals()[0]!.micro;
/** What another party holds of camden's, brought before camden. */
const confront = (by: Party) =>
  all
    .store('camden')
    .audited((_, nowMs, heads) => heads.confront(all.store(by).heads.last('camden'), by, all.self('camden'), nowMs));
/** What camden's old copy holds of the others is old too, and it says so. */
const sayOlder = (to: Party) =>
  all
    .store(to)
    .audited((_, nowMs, heads) => heads.confront(all.store('camden').heads.last(to), 'camden', all.self(to), nowMs));
const confirm = (reason = 'the disk broke') =>
  all.store('camden').audited((_, nowMs, heads) => heads.confirm(reason, nowMs));

describe('heads of audit logs', () => {
  it('are countersigned by all others at each job, with proofs from the last that they signed', () => {
    for (const name of ['one', 'two', 'three']) all.job(name);
    for (const party of parties) {
      const others = parties.filter((other) => other !== party);
      const signed = all.store(party).heads.countersignatures();
      expect(new Set(signed.map(({ by }) => by))).toEqual(new Set(others));
      expect(signed.length).toBe(6);
      for (const other of others) expect(all.store(other).heads.last(party)!.head.party).toBe(party);
    }
    expect(kinds('camden').filter((kind) => kind === 'countersigned').length).toBe(6);
  });

  it('have proofs from each state that a peer may hold, and no more than are needed', () => {
    all.job('one');
    all.nowMs += 1;
    all.store('camden').declarePeriod('residents', '2027-Q1');
    const given = all.offer('camden');
    expect(given.proofs.map(({ from }) => from)).toEqual([3]);
    // Whether these ever came in, camden does not know.
    for (let n = 2; n < 40; n++) {
      all.store('camden').declarePeriod('residents', `2027-Q${n}`);
      all.offer('camden');
    }
    const last = all.offer('camden');
    expect(last.proofs.length).toBe(16);
    expect(last.proofs[0]!.from).toBe(3);
    all.witness('hackney', { camden: given });
    all.witness('islington', { camden: last });
    expect(all.offer('camden', ['hackney']).proofs.every(({ from }) => from >= given.head.head.size)).toBe(true);
    expect(all.offer('camden', ['islington'])).toMatchObject({ head: last.head, proofs: [] });
  });

  it('pass where two jobs were under way and the earlier one starts later, and are not signed again', () => {
    all.job('one');
    const early = all.offer('camden');
    all.nowMs += 1000;
    all.store('camden').declarePeriod('residents', '2027-Q1');
    all.witness('hackney', { camden: all.offer('camden') });
    const before = all.store('hackney').heads.witnessed();
    all.witness('hackney', { camden: early }, all.nowMs - 5000);
    expect(all.store('hackney').heads.witnessed()).toEqual(before);
    all.nowMs += 300_000;
    expect(() => all.witness('hackney', { camden: early })).toThrow(code('AUDIT_ROLLED_BACK'));
  });

  it('pass where many jobs wait, whichever of them starts first', () => {
    const grow = (n: number) => all.store('camden').declarePeriod('residents', `2027-Q${n}`);
    all.job('one');
    const waiting = Array.from({ length: 30 }, (_, n) => {
      all.nowMs += 1000;
      grow(n);
      return { offer: all.offer('camden'), issuedMs: all.nowMs };
    });
    all.nowMs += 3600_000;
    for (const n of [0, 25, 7, 16, 29, 1, 28]) {
      const { offer, issuedMs } = waiting[n]!;
      all.witness('hackney', { camden: offer }, issuedMs);
    }
    expect(all.store('hackney').heads.last('camden')).toEqual(waiting[29]!.offer.head);
    // What is shown from now on has the proof again.
    all.nowMs += 3600_000;
    grow(30);
    const next = all.offer('camden');
    all.witness('hackney', { camden: next });
    expect(all.store('hackney').heads.last('camden')).toEqual(next.head);
    all.nowMs += 3600_000;
    grow(31);
    const unproven = { ...all.offer('camden'), proofs: [] };
    expect(() => all.witness('hackney', { camden: unproven })).toThrow(code('AUDIT_UNPROVEN'));
  });

  it('have a proof from what a peer holds, once it says so', () => {
    all.job('one');
    const grow = (n: number) => {
      all.nowMs += 3600_000;
      all.store('camden').declarePeriod('residents', `2027-Q${n}`);
      return all.offer('camden');
    };
    const shown = Array.from({ length: 40 }, (_, n) => grow(n));
    // Hackney signs one of them, and its word is lost on the way.
    all
      .store('hackney')
      .audited((_, nowMs, heads) =>
        heads.witness(new Map([['camden', shown[9]]]), all.self('hackney'), all.nowMs, nowMs),
      );
    expect(() => all.witness('hackney', { camden: grow(40) })).toThrow(code('AUDIT_UNPROVEN'));
    expect(confront('hackney')).toBe(false);
    const next = grow(41);
    all.witness('hackney', { camden: next });
    expect(all.store('hackney').heads.last('camden')).toEqual(next.head);
  });

  it('have a proof from what a peer holds that is rarely met', () => {
    all.job('one');
    const { size } = all.store('islington').heads.last('camden')!.head;
    const other = (n: number) => {
      all.nowMs += 1000;
      all.store('camden').declarePeriod('residents', `2027-Q${n}`);
      return all.offer('camden', [`party-${n % 2}` as Party]);
    };
    for (let n = 0; n < 40; n++) other(n);
    const both = all.offer('camden', ['islington', 'party-0', 'party-1'] as Party[]);
    expect(both.proofs.length).toBe(32);
    expect(both.proofs.map(({ from }) => from)).toContain(size);
    const many = Array.from({ length: 24 }, (_, n) => `party-${n + 2}` as Party);
    const given = many.map((peer, n) => {
      all.store('camden').declarePeriod('residents', `2028-Q${n}`);
      return all.offer('camden', [peer]).head.head.size;
    });
    for (let n = 24; n < 48; n++) {
      all.store('camden').declarePeriod('residents', `2028-Q${n}`);
      all.offer('camden', many.slice(0, 1));
    }
    all.store('camden').declarePeriod('residents', '2029-Q1');
    const from = all.offer('camden', many).proofs.map((proof) => proof.from);
    expect(from.slice(0, 24)).toEqual(given.reverse());
  });

  it('fit into one frame with those of all others, or are refused', () => {
    all.job('one');
    const crowd = (count: number) => Array.from({ length: count }, (_, n) => `party-${n}` as Party);
    const given = crowd(40).map((peer, n) => {
      all.store('camden').declarePeriod('residents', `2028-Q${n}`);
      return all.offer('camden', [peer]);
    });
    expect(given.length).toBe(40);
    for (const count of [2, 100, 300]) {
      const bytes = JSON.stringify(all.offer('camden', crowd(count))).length;
      expect(bytes * (count + 1)).toBeLessThan(framePayloadBytesMax / 2 + 64 * (count + 1));
    }
    expect(() => all.offer('camden', crowd(2_000))).toThrow(code('AUDIT_UNPROVEN'));
  });

  it('say what a job may cost that holds nothing, since its question was charged before over other readings', () => {
    all.job('one');
    const [received, accepted, running, committed, opening] = lifeOf('two', { question: 'one', key: 'two' });
    const store = all.store('camden');
    const reserved = () => {
      store.declarePeriod('other', `P${store.audit.size()}`);
      return all.offer('camden').head.head.totals[0]!.reserved.micro;
    };
    store.save(received!);
    expect(reserved()).toBe('0');
    store.save({ ...accepted!, claim: { ...accepted!.claim!, key: null } } as typeof accepted & object);
    expect(store.ledger.standing('residents', '2026-Q4').reserved.micro).toBe(0n);
    expect(reserved()).toBe('1500000');
    for (const state of [running!, committed!]) {
      store.save(state);
      expect(reserved()).toBe('1500000');
    }
    store.save(opening!);
    expect(reserved()).toBe('0');
    expect(spent('camden')).toBe('3000000');
  });

  it('are signed all or none, and a missing one is none', () => {
    all.job('one');
    const offers = { camden: all.offer('camden'), islington: null };
    expect(() => all.witness('hackney', offers)).toThrow(code('AUDIT_UNPROVEN', 'islington'));
    expect(all.store('hackney').heads.witnessed().length).toBe(2);
  });

  it('are not taken for countersigned by what is no signature', () => {
    all.job('one');
    const { size } = all.offer('camden').head.head;
    const take = (by: Party, of: number, signature: string) =>
      all.store('camden').audited((_, __, heads) => heads.take(by, of, signature, all.charter));
    expect(take('hackney', size, '00'.repeat(64))).toBe(false);
    expect(take('hackney', size + 1, '00'.repeat(64))).toBe(false);
    const [good] = all.store('camden').heads.countersignatures();
    expect(take('islington', good!.size, good!.signature)).toBe(good!.by === 'islington');
  });
});

describe('a state that is an older copy', () => {
  let putBack: () => void;
  beforeEach(() => {
    all.job('one');
    putBack = all.backUp('camden');
    all.job('two');
    all.job('three');
  });

  it('is noticed by every peer, and learns it from the head that the peer holds', () => {
    const before = spent('camden');
    putBack();
    expect(spent('camden')).toBe('1500000');
    all.nowMs += 60_000;
    expect(() => all.store('camden').heads.checkWhole('camden')).not.toThrow();
    for (const peer of ['hackney', 'islington'] as const) {
      expect(() => all.witness(peer, { camden: all.offer('camden') })).toThrow(code('AUDIT_ROLLED_BACK'));
    }
    expect(confront('hackney')).toBe(true);
    expect(() => all.store('camden').heads.checkWhole('camden')).toThrow(code('STATE_RESTORED'));
    expect(all.store('camden').heads.lost()).toMatchObject([{ heldBy: 'hackney', confirmedMs: null }]);
    expect(before).toBe('4500000');
  });

  it('goes on once its owner confirms it: what was spent stays spent, and peers enter it in their logs', () => {
    putBack();
    all.nowMs += 60_000;
    confront('hackney');
    const [lost] = confirm('the disk broke');
    // What the last job was charged stands in no head that hackney signed, and what was held back for it does.
    expect(spent('camden')).toBe('4500000');
    expect(all.store('camden').ledger.standing('residents', '2026-Q4', 'ana').spent.micro).toBe(4_500_000n);
    expect(kinds('camden').at(-1)).toBe('restored');
    expect(() => all.store('camden').heads.checkWhole('camden')).not.toThrow();
    const shown = all.offer('camden');
    expect(shown.head.head.restored).toEqual([{ size: lost!.head.size, root: lost!.head.root }]);
    for (const peer of ['hackney', 'islington'] as const) expect(sayOlder(peer)).toBe(false);
    all.job('four');
    for (const peer of ['hackney', 'islington'] as const) {
      expect(kinds(peer)).toContain('peer-restored');
      const log = (party: Party) =>
        exportAudit(all.store(party), { party, charter: charterHash(all.charter), nowMs: all.nowMs });
      expect(verifyStored(all.store(peer), peer, all.charter, all.nowMs)).toMatchObject({ ok: true });
      const { findings, lost: known } = compareWitness(log('camden'), log(peer), all.charter);
      expect(findings).toEqual([]);
      expect(known).toEqual([{ size: lost!.head.size, root: lost!.head.root, kept: 3 }]);
    }
    const report = verifyStored(all.store('camden'), 'camden', all.charter, all.nowMs);
    expect(report).toMatchObject({ ok: true, findings: [], lost: [{ size: lost!.head.size }] });
    expect(() => confirm()).toThrow(expect.objectContaining({ code: 'BAD_VALUE' }));
  });

  it('says nothing more of a job that was asked for before the loss was noticed', () => {
    const check = (issuedMs: number) => () => all.store('camden').heads.checkWhole('camden', issuedMs);
    putBack();
    all.nowMs += 60_000;
    expect(check(0)).not.toThrow();
    confront('hackney');
    expect(check(all.nowMs)).toThrow(code('STATE_RESTORED'));
    const noticedMs = all.nowMs;
    confirm();
    expect(check(noticedMs)).not.toThrow();
    expect(check(noticedMs - 1)).toThrow(code('STATE_RESTORED'));
    // An earlier state of the one that was confirmed is no other loss.
    all.nowMs += 60_000;
    const [, , early] = all
      .store('islington')
      .heads.witnessed()
      .filter(({ head }) => head.head.party === 'camden');
    all
      .store('camden')
      .audited((_, nowMs, heads) => heads.confront(early!.head, 'islington', all.self('camden'), nowMs));
    expect(check(noticedMs)).not.toThrow();
  });

  it('is not let pass where it owns up to another state than the one a peer holds, or has unspent something', () => {
    putBack();
    confront('hackney');
    confirm();
    all.administer('camden', (db) => db.exec('DELETE FROM ledger_raised'));
    expect(() => all.witness('hackney', { camden: all.offer('camden') })).toThrow(code('AUDIT_ROLLED_BACK'));
  });

  it('needs no second word for an earlier state of what was confirmed', () => {
    const early = all
      .store('islington')
      .heads.witnessed()
      .filter(({ head }) => head.head.party === 'camden')[1]!.head;
    putBack();
    all.nowMs += 60_000;
    confront('hackney');
    confirm();
    const bring = () =>
      all.store('camden').audited((_, nowMs, heads) => heads.confront(early, 'islington', all.self('camden'), nowMs));
    expect(bring()).toBe(false);
    expect(all.offer('camden').head.head.restored!.length).toBe(2);
    expect(bring()).toBe(false);
    expect(all.store('camden').heads.lost().length).toBe(2);
    expect(() => all.store('camden').heads.checkWhole('camden')).not.toThrow();
  });

  it('is not believed of a head that is not the party’s own', () => {
    const bring = (given: unknown) =>
      all.store('camden').audited((_, nowMs, heads) => heads.confront(given, 'hackney', all.self('camden'), nowMs));
    const own = all.offer('hackney').head;
    for (const given of [undefined, own, { ...own, head: { ...own.head, party: 'camden' } }]) {
      expect(() => bring(given)).toThrow(expect.objectContaining({ name: 'InputError' }));
    }
    // A peer whose own state was set back brings an old head of a log that still has it.
    expect(bring(all.store('hackney').heads.last('camden'))).toBe(false);
    expect(() => all.store('camden').heads.checkWhole('camden')).not.toThrow();
  });
});

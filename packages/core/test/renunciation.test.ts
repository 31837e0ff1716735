import { describe, expect, it } from 'vitest';
import { charterHash } from '../src/query/charter.ts';
import { signer } from '../src/query/identity.ts';
import {
  attemptsMax,
  checkRenunciation,
  checkRenunciations,
  type Renunciation,
  type SignedRenunciation,
  signRenunciation,
} from '../src/query/renunciation.ts';
import { sealed, seedOf } from './consortium.ts';

const charter = sealed();
const roster = ['camden', 'hackney', 'islington'];
const of = { job: 'a1'.repeat(32), charter, charterHash: charterHash(charter), attempt: 2 };

function by(party: string, change: Partial<Renunciation> = {}, signedBy = party): SignedRenunciation {
  const stated = { job: of.job, party, charter: of.charterHash, attempt: of.attempt, ...change };
  return signRenunciation(stated, signer(seedOf(signedBy)));
}
const bad = (party: string) => expect.objectContaining({ code: 'BAD_RENUNCIATION', party });

describe('a renunciation', () => {
  it('is its party’s word about one attempt at one job, and the same whenever it is given', () => {
    expect(checkRenunciation(by('camden'), 'camden', of)).toEqual(by('camden'));
    expect(by('camden')).toEqual(by('camden'));
  });

  it.each<[string, object]>([
    ['another party’s', by('hackney')],
    ['signed by another party', by('camden', {}, 'hackney')],
    ['for another job', by('camden', { job: 'b2'.repeat(32) })],
    ['under another charter', by('camden', { charter: 'c3'.repeat(32) })],
    ['for an earlier attempt', by('camden', { attempt: 1 })],
    ['for a later attempt', by('camden', { attempt: 3 })],
    ['changed after it was signed', { ...by('camden', { attempt: 1 }), renunciation: by('camden').renunciation }],
  ])('does not count where it is %s', (_, given) => {
    expect(() => checkRenunciation(given, 'camden', of)).toThrow(bad('camden'));
  });

  it('has one form', () => {
    const { renunciation, signature } = by('camden');
    for (const given of [
      null,
      { renunciation },
      { renunciation, signature: 'x' },
      { renunciation: { ...renunciation, why: 'because' }, signature },
      { renunciation: { ...renunciation, attempt: 0 }, signature },
      { renunciation: { ...renunciation, attempt: attemptsMax + 1 }, signature },
    ]) {
      expect(() => checkRenunciation(given, 'camden', of)).toThrow(expect.objectContaining({ name: 'InputError' }));
    }
  });

  it('is needed of every party of the roster', () => {
    const all = roster.map((party) => by(party));
    expect(() => checkRenunciations(all, roster, of)).not.toThrow();
    expect(() => checkRenunciations([], roster, of)).toThrow(bad('camden'));
    expect(() => checkRenunciations(all.slice(0, 2), roster, of)).toThrow(bad('islington'));
    expect(() => checkRenunciations([all[0], all[0], all[2]], roster, of)).toThrow(bad('hackney'));
    expect(() => checkRenunciations([all[1], all[0], all[2]], roster, of)).toThrow(bad('camden'));
  });
});

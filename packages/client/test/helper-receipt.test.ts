import { acceptancesHash, type SignedAcceptance, signAcceptance } from '@folkmoot/core/acceptance.js';
import { fromHex, toHex } from '@folkmoot/core/bytes.js';
import { type Charter, charterHash, parseCharter, withKeys } from '@folkmoot/core/charter.js';
import { sign, signer } from '@folkmoot/core/identity.js';
import { openingStatement } from '@folkmoot/core/open.js';
import { helperRule } from '@folkmoot/core/policy.js';
import { seededRng } from '@folkmoot/core/prg.js';
import { makeKeys, type PartyKeys } from '@folkmoot/transport/keyring.js';
import { describe, expect, it } from 'vitest';
import { jobViewFrom } from '../src/job-view.ts';
import { verifyAnswer } from '../src/receipt.ts';

const members = ['ash', 'birch', 'cedar', 'dale'];
let charter = parseCharter(
  `
folkmoot: 1
charter: Three towns and a village
version: 1
parties: { ${members.map((id) => `${id}: { name: ${id}, owner: Clerk }`).join(', ')} }
analysts: { ann: { roles: [analyst] } }
purposes: { planning: Plan }
datasets:
  people:
    held_by: [ash, birch, cedar]
    unit: id
    max_rows: 1000
    columns: { id: { type: identifier }, age: { type: integer, min: 0, max: 110 } }
policy_floor: { min_parties: 3, min_group: 2 }
`,
  'charter',
);
const rng = seededRng(4);
const keys = new Map<string, PartyKeys>();
for (const id of members) {
  const made = await makeKeys('party', rng);
  keys.set(id, made);
  charter = withKeys(charter, id, made.public);
}
const identityOf = (party: string) => keys.get(party)!.secret.identity;
const job = 'a'.repeat(64);

interface Signed {
  /** Who accepts as a helper. */
  readonly helpers?: readonly string[];
  /** Who states the size class of a set that it matches. */
  readonly sides?: readonly string[];
  readonly under?: Charter;
}

/** An answer that these have signed for. */
function answerOf(
  parties: readonly string[],
  helper: string | null,
  { helpers = [helper ?? ''], sides = [], under = charter }: Signed = {},
) {
  const roster = [...parties, ...(helper === null ? [] : [helper])].sort();
  const acceptances = roster.map((party): SignedAcceptance => {
    const rule = helpers.includes(party) ? helperRule : 'planning';
    const common = { job, party, charter: charterHash(under), policy: 'b'.repeat(64), build: 'test' };
    const expires = '2026-11-22T00:00:00.000Z';
    const rest = { fingerprint: 'c'.repeat(64), min_group: 2, rule, period: null, budget: null };
    const side = sides.includes(party) ? { set_class: 20 } : {};
    return signAcceptance({ ...common, expires, ...rest, ...side }, signer(identityOf(party)));
  });
  const commitments = new Map(roster.map((party) => [party, new Uint8Array(32)]));
  const context = { job: fromHex(job), attempt: 1, roster };
  const statement = openingStatement(context, acceptancesHash(acceptances), commitments);
  const receipts = acceptances.map(({ acceptance, signature }) => ({
    party: acceptance.party,
    attempt: 1,
    acceptance,
    acceptanceSignature: signature,
    commitment: '0'.repeat(64),
    signature: toHex(sign(identityOf(acceptance.party), 'folkmoot opening v1', statement)),
  }));
  return { job, parties, ...(helper === null ? {} : { helper }), receipts };
}

const towns = ['ash', 'birch', 'cedar'];
const refused = (code: string, party?: string) =>
  expect.objectContaining({ code, ...(party === undefined ? {} : { party }) });

describe('an answer with a helper', () => {
  it('verifies with a receipt of each party and of the helper', () => {
    expect(() => verifyAnswer(answerOf(towns, 'dale'), charter)).not.toThrow();
    expect(() => verifyAnswer(answerOf(towns, null), charter)).not.toThrow();
  });

  it('does not verify without the helper’s receipt, nor where it does not name the helper', () => {
    const good = answerOf(towns, 'dale');
    const without = good.receipts.filter(({ party }) => party !== 'dale');
    expect(() => verifyAnswer({ ...good, receipts: without }, charter)).toThrow(refused('BAD_ACCEPTANCE', 'dale'));
    const { helper: _, ...unnamed } = good;
    expect(() => verifyAnswer(unnamed, charter)).toThrow(refused('BAD_ACCEPTANCE', 'dale'));
    expect(() => verifyAnswer({ ...unnamed, receipts: without }, charter)).toThrow(refused('BAD_OPENING_SIGNATURE'));
  });

  it('does not count the helper among the parties that the charter asks for', () => {
    const few = answerOf(['ash', 'birch'], 'dale');
    expect(() => verifyAnswer(few, charter)).toThrow(refused('TOO_FEW_PARTIES'));
  });

  it('lets no helper pass for a party, and no party for a helper', () => {
    const { helper: _, ...few } = answerOf(['ash', 'birch'], 'dale');
    const asParty = { ...few, parties: ['ash', 'birch', 'dale'] };
    expect(() => verifyAnswer(asParty, charter)).toThrow(refused('BAD_ACCEPTANCE', 'dale'));
    expect(() => verifyAnswer(answerOf(towns, 'dale', { helpers: [] }), charter)).toThrow(
      refused('BAD_ACCEPTANCE', 'dale'),
    );
    const twice = { ...answerOf(towns, 'dale'), parties: members };
    expect(() => verifyAnswer(twice, charter)).toThrow(refused('BAD_ACCEPTANCE', 'dale'));
  });

  it('names a helper that the charter knows', () => {
    const good = answerOf(towns, 'dale');
    expect(() => verifyAnswer({ ...good, helper: 'elm' }, charter)).toThrow(refused('BAD_ACCEPTANCE', 'elm'));
  });
});

describe('an answer of a join', () => {
  const sides = ['ash', 'birch'];
  const under = { ...charter, policy_floor: { min_parties: 2, min_group: 2 } };

  it('verifies with two sides that state what they match, and a helper that does not', () => {
    expect(() => verifyAnswer(answerOf(sides, null, { sides, under }), under)).not.toThrow();
    expect(() => verifyAnswer(answerOf(sides, 'dale', { sides, under }), under)).not.toThrow();
    // An exact pooled answer of two parties tells each the other's part, whatever the charter's floor.
    expect(() => verifyAnswer(answerOf(sides, null, { under }), under)).toThrow(refused('TOO_FEW_PARTIES'));
    expect(() => verifyAnswer(answerOf(sides, null, { sides }), charter)).toThrow(refused('TOO_FEW_PARTIES'));
  });

  it('has no third side, no single one, and none that helps', () => {
    const of = (parties: readonly string[], helper: string | null, stating: readonly string[]) => () =>
      verifyAnswer(answerOf(parties, helper, { sides: stating, under }), under);
    expect(of(towns, null, towns)).toThrow(refused('BAD_ACCEPTANCE', 'cedar'));
    expect(of(towns, null, sides)).toThrow(refused('BAD_ACCEPTANCE', 'birch'));
    expect(of(sides, null, ['ash'])).toThrow(refused('BAD_ACCEPTANCE', 'ash'));
    expect(of(sides, 'dale', ['ash', 'dale'])).toThrow(refused('BAD_ACCEPTANCE', 'dale'));
  });
});

describe('the view of a job', () => {
  const view = {
    ...{ job, title: '', state: 'QUEUED', attempt: 0, submitted: '', updated: '', expires: '' },
    parties: [
      { party: 'ash', connected: true },
      { party: 'dale', helper: true, connected: false },
      { party: 'elm', helper: 'yes', connected: false },
    ],
  };

  it('says who helps', () => {
    expect(jobViewFrom(view).parties).toEqual([
      { party: 'ash', connected: true },
      { party: 'dale', helper: true, connected: false },
      { party: 'elm', connected: false },
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import { fromHex, toHex, utf8 } from '../src/algebra/bytes.ts';
import { seededRng } from '../src/algebra/prg.ts';
import { fromIntegers, rings, toIntegers, vector, Z2_64, Z2_192 } from '../src/algebra/ring.ts';
import type { Channel, Context, PartyId } from '../src/channel/channel.ts';
import { type Simulation, simulate } from '../src/channel/simulate.ts';
import {
  commitment,
  type Opening,
  open,
  openingStatement,
  openTogether,
  verifyOpenings,
} from '../src/protocols/open.ts';
import { jointSum } from '../src/sharing/additive.ts';
import { partyNames } from './channels.ts';
import { idealSignatures, idealVerify } from './signatures.ts';

const parties = ['camden', 'hackney', 'islington'];
const acceptances = new Uint8Array(32).fill(9);
const job = new Uint8Array(32).fill(5);
const context: Context = { job, attempt: 2, roster: parties };

const code = (name: string, party?: PartyId) => expect.objectContaining({ code: name, ...(party && { party }) });

/** What each party seals, in these tests: some bytes of its own. */
const sealedOf = (party: PartyId) => utf8(`sealed by ${party}`);

function openHonestly(ch: Channel): Promise<Opening> {
  const durable = async () => {};
  return open(ch, { sealed: sealedOf(ch.self), acceptances, signatures: idealSignatures(ch.self), durable });
}

function run<T>(program: (ch: Channel) => Promise<T>, roster = parties): Promise<Simulation<T>> {
  return simulate({ parties: roster, seed: 1, context: { job, attempt: 2 } }, program);
}

function valuesOf<T>(simulation: Simulation<T>): T[] {
  return Array.from(simulation.outcomes.values(), (outcome) => {
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  });
}

async function openings(): Promise<Opening[]> {
  return valuesOf(await run(openHonestly));
}

describe('an opening', () => {
  it('takes 2 rounds and (N − 1)·(32 + 64) bytes a party', async () => {
    for (const count of [2, 3, 5]) {
      const { rounds, bytes, messages } = await run(openHonestly, partyNames(count));
      expect(rounds).toBe(2);
      expect(Object.values(bytes)).toEqual(new Array(count).fill((count - 1) * (32 + 64)));
      expect(messages).toBe(2 * count * (count - 1));
    }
  });

  it('gives every party the same list and signatures, which the analyst accepts in any order', async () => {
    const all = await openings();
    expect(all.map(({ party }) => party)).toEqual(parties);
    for (const { commitments, signatures } of all) {
      expect(commitments).toEqual(all[0]!.commitments);
      expect(signatures).toEqual(all[0]!.signatures);
    }
    expect(all[1]!.commitments.hackney).toBe(toHex(commitment(context, 'hackney', sealedOf('hackney'))));
    verifyOpenings(context, acceptances, all, idealVerify);
    verifyOpenings(context, acceptances, [...all].reverse(), idealVerify);
  });

  it('sends nothing before the sealed bytes are durable, and signs nothing before all have committed', async () => {
    const events: string[] = [];
    const { outcomes } = await run(async (ch) => {
      const spied: Channel = spyOn(ch, (label) => events.push(`${ch.self} sends ${label}`));
      return open(spied, {
        sealed: sealedOf(ch.self),
        acceptances,
        signatures: {
          verify: idealVerify,
          sign: (statement) => {
            events.push(`${ch.self} signs`);
            return idealSignatures(ch.self).sign(statement);
          },
        },
        durable: async (sealed) => {
          expect(sealed).toEqual(sealedOf(ch.self));
          await Promise.resolve();
          events.push(`${ch.self} is durable`);
        },
      });
    });
    expect(outcomes.size).toBe(3);
    for (const party of parties) {
      const own = events.filter((event) => event.startsWith(party)).map((event) => event.slice(party.length + 1));
      expect([...new Set(own)]).toEqual(['is durable', 'sends open/commitment', 'signs', 'sends open/signature']);
    }
    const firstSignature = events.findIndex((event) => event.endsWith('signs'));
    const allCommitted = events.filter((event) => event.endsWith('open/commitment')).length;
    expect(events.slice(0, firstSignature).filter((event) => event.endsWith('open/commitment')).length).toBe(
      allCommitted,
    );
  });

  it('does not go on when the bytes cannot be made durable', async () => {
    const { outcomes, bytes } = await run(async (ch) => {
      const durable = ch.self === 'hackney' ? () => Promise.reject(new Error('disk full')) : async () => {};
      return open(ch, { sealed: sealedOf(ch.self), acceptances, signatures: idealSignatures(ch.self), durable });
    });
    expect(bytes.hackney).toBe(0);
    for (const party of ['camden', 'islington']) {
      expect(outcomes.get(party)).toEqual({ error: code('PARTY_FAILED', 'hackney') });
    }
  });

  it('names the party whose signature is not under the list that was seen', async () => {
    const { outcomes } = await run(async (ch) => {
      const signatures = idealSignatures(ch.self);
      const sign = ch.self === 'hackney' ? () => new Uint8Array(64) : signatures.sign;
      return open(ch, {
        sealed: sealedOf(ch.self),
        acceptances,
        durable: async () => {},
        signatures: { ...signatures, sign },
      });
    });
    for (const outcome of outcomes.values())
      expect(outcome).toEqual({ error: code('BAD_OPENING_SIGNATURE', 'hackney') });
  });

  it('opens nothing where a party commits to different bytes before different parties', async () => {
    const { outcomes } = await run(async (ch) => {
      if (ch.self !== 'camden') return openHonestly(ch);
      const equivocating: Channel = {
        ...ch,
        fork: (label) => {
          const fork = ch.fork(label);
          return {
            ...fork,
            send: (to, messageLabel, message) => {
              const isLie = messageLabel === 'open/commitment' && to === 'islington';
              return fork.send(to, messageLabel, isLie ? new Uint8Array(32) : message);
            },
          };
        },
      };
      return openHonestly(equivocating);
    });
    for (const party of ['hackney', 'islington']) {
      expect(outcomes.get(party)).toEqual({ error: code('BAD_OPENING_SIGNATURE') });
    }
  });

  it('happens once in an attempt', async () => {
    const { outcomes } = await run(async (ch) => {
      await openHonestly(ch);
      return openHonestly(ch);
    });
    for (const outcome of outcomes.values()) expect(outcome).toEqual({ error: code('LABEL_REUSED') });
  });
});

describe('the analyst', () => {
  const refuses = async (change: (all: Opening[]) => Opening[], name: string, party?: PartyId) => {
    const changed = change(await openings());
    expect(() => verifyOpenings(context, acceptances, changed, idealVerify)).toThrow(code(name, party));
  };
  const changing = (index: number, change: (opening: Opening) => Partial<Opening>) => (all: Opening[]) =>
    all.map((opening, i) => (i === index ? { ...opening, ...change(opening) } : opening));

  it('names the party whose sealed bytes were changed', async () => {
    for (const [i, party] of parties.entries()) {
      await refuses(
        changing(i, () => ({ sealed: utf8('other') })),
        'BAD_COMMITMENT',
        party,
      );
      await refuses(
        changing(i, ({ sealed }) => ({ sealed: sealed.subarray(1) })),
        'BAD_COMMITMENT',
        party,
      );
    }
  });

  it('names the party whose opening is missing or twice there', async () => {
    await refuses((all) => all.slice(1), 'BAD_COMMITMENT', 'camden');
    await refuses((all) => [...all, all[1]!], 'BAD_COMMITMENT', 'hackney');
    await refuses((all) => [...all, { ...all[1]!, party: 'stranger' }], 'BAD_COMMITMENT', 'stranger');
  });

  it('verifies each of the N signatures once, however many parties hand it over', async () => {
    let verified = 0;
    verifyOpenings(context, acceptances, await openings(), (...claim) => {
      verified += 1;
      return idealVerify(...claim);
    });
    expect(verified).toBe(parties.length);
  });

  it('names the party whose list or signatures do not hold', async () => {
    const zeros = '0'.repeat(64);
    const withEntry = (record: Readonly<Record<string, string>>, value: string) => ({ ...record, camden: value });
    await refuses(
      changing(1, (o) => ({ commitments: withEntry(o.commitments, zeros) })),
      'BAD_OPENING_SIGNATURE',
      'hackney',
    );
    await refuses(
      changing(1, (o) => ({ commitments: withEntry(o.commitments, 'g0') })),
      'BAD_COMMITMENT',
      'hackney',
    );
    await refuses(
      changing(1, () => ({ commitments: {} })),
      'BAD_COMMITMENT',
      'hackney',
    );
    await refuses(
      changing(2, (o) => ({ signatures: withEntry(o.signatures, zeros + zeros) })),
      'BAD_OPENING_SIGNATURE',
      'islington',
    );
    await refuses(
      changing(2, (o) => ({ signatures: withEntry(o.signatures, zeros) })),
      'BAD_OPENING_SIGNATURE',
      'islington',
    );
    await refuses(
      changing(2, (o) => ({ signatures: { ...o.signatures, extra: zeros } })),
      'BAD_OPENING_SIGNATURE',
      'islington',
    );
  });

  it('refuses two lists that all have signed', async () => {
    const other = valuesOf(
      await run((ch) => {
        const signatures = idealSignatures(ch.self);
        return open(ch, { sealed: utf8('another answer'), acceptances, signatures, durable: async () => {} });
      }),
    );
    await refuses((all) => [all[0]!, other[1]!, all[2]!], 'BAD_COMMITMENT', 'hackney');
  });

  it('refuses openings of another job, attempt, roster or set of acceptances', async () => {
    const all = await openings();
    const elsewhere: Context[] = [
      { ...context, attempt: 1 },
      { ...context, job: new Uint8Array(32) },
      { ...context, roster: [...parties, 'newham'] },
    ];
    const refusal = expect.objectContaining({ code: expect.stringMatching(/^BAD_(OPENING_SIGNATURE|COMMITMENT)$/) });
    for (const other of elsewhere) expect(() => verifyOpenings(other, acceptances, all, idealVerify)).toThrow(refusal);
    expect(() => verifyOpenings(context, new Uint8Array(32), all, idealVerify)).toThrow(code('BAD_OPENING_SIGNATURE'));
  });

  it('would not notice changed bytes without the check of the commitments', async () => {
    // The mutant: signatures only. It shows that the check above is what catches a changed share.
    const [first, ...others] = await openings();
    const changed = [{ ...first!, sealed: utf8('other') }, ...others];
    for (const { commitments, signatures } of changed) {
      const list = new Map(parties.map((party) => [party, fromHex(commitments[party]!)]));
      const statement = openingStatement(context, acceptances, list);
      for (const party of parties) expect(idealVerify(party, statement, fromHex(signatures[party]!))).toBe(true);
    }
    expect(() => verifyOpenings(context, acceptances, changed, idealVerify)).toThrow(code('BAD_COMMITMENT', 'camden'));
  });
});

describe('opening together', () => {
  it('takes 2 rounds and 64 bytes and the share to each peer, in each ring', async () => {
    for (const ring of rings) {
      for (const count of [2, 3, 5]) {
        const simulation = await run(
          (ch) => openTogether(ch, jointSum(ch, 'x', fromIntegers(ring, [1n, -2n, 3n])), seededRng(1)),
          partyNames(count),
        );
        const n = BigInt(count);
        for (const sum of valuesOf(simulation)) expect(toIntegers(sum)).toEqual([n, -2n * n, 3n * n]);
        expect(simulation.rounds).toBe(2);
        const perParty = (count - 1) * (64 + 3 * ring.limbs * 8);
        expect(Object.values(simulation.bytes)).toEqual(new Array(count).fill(perParty));
      }
    }
  });

  it('names the party that reveals another share than it committed to', async () => {
    const { outcomes } = await run(async (ch) => {
      if (ch.self !== 'camden') return openTogether(ch, vector(Z2_64, 1), seededRng(1));
      return openTogether(revealing(ch, 39), vector(Z2_64, 1), seededRng(1));
    });
    for (const party of ['hackney', 'islington']) {
      expect(outcomes.get(party)).toEqual({ error: code('BAD_COMMITMENT', 'camden') });
    }
  });

  it('names the party that reveals another salt', async () => {
    const { outcomes } = await run(async (ch) => {
      return openTogether(ch.self === 'camden' ? revealing(ch, 0) : ch, vector(Z2_192, 1), seededRng(1));
    });
    expect(outcomes.get('hackney')).toEqual({ error: code('BAD_COMMITMENT', 'camden') });
  });

  it('can be done again on the same channel', async () => {
    const simulation = await run(async (ch) => {
      const sums: bigint[] = [];
      for (const [i, label] of ['x', 'y', 'z'].entries()) {
        const share = jointSum(ch, label, fromIntegers(Z2_64, [BigInt(i + 1)]));
        sums.push(...toIntegers(await openTogether(ch, share, seededRng(i))));
      }
      return sums;
    });
    for (const sums of valuesOf(simulation)) expect(sums).toEqual([3n, 6n, 9n]);
    expect(simulation.rounds).toBe(6);
  });
});

/** A channel whose owner flips a bit of what it reveals. */
function revealing(ch: Channel, byte: number): Channel {
  return {
    ...ch,
    send: (to, label, message) => {
      const changed = new Uint8Array(message);
      if (label === 'open-together/share') changed[byte]! ^= 1;
      return ch.send(to, label, changed);
    },
  };
}

function spyOn(ch: Channel, onSend: (label: string) => void): Channel {
  return {
    ...ch,
    send: (to, label, message) => {
      onSend(label);
      return ch.send(to, label, message);
    },
    fork: (label) => spyOn(ch.fork(label), onSend),
  };
}

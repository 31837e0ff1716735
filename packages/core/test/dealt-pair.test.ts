import { describe, expect, it } from 'vitest';
import type { Channel } from '../src/channel/channel.ts';
import { ProtocolError } from '../src/channel/errors.ts';
import { type Faults, simulate } from '../src/channel/simulate.ts';
import {
  dealPair,
  dealtCost,
  dealtMax,
  dealtPieceMax,
  dealtReceiver,
  dealtSender,
} from '../src/protocols/dealt-pair.ts';
import type { PairDemand } from '../src/protocols/pair-source.ts';
import { channels } from './channels.ts';
import { lockstep } from './lockstep.ts';

const [receiver, sender, dealer] = ['a', 'b', 'dealer'] as const;
const none: PairDemand = { bitTriples: 0, sharedBits: 0, otsFromSender: 0, otsFromReceiver: 0, voles: 0 };
const some: PairDemand = { bitTriples: 64, sharedBits: 9, otsFromSender: 16, otsFromReceiver: 801, voles: 33 };

const code = (name: string) => expect.objectContaining({ code: name });

async function program(ch: Channel, demand: PairDemand) {
  if (ch.self === dealer) return void (await dealPair(ch, sender, receiver, demand));
  return ch.self === receiver ? dealtReceiver(ch, sender, dealer, demand) : dealtSender(ch, receiver, dealer, demand);
}

describe('a dealer of two', () => {
  it('costs what is stated, whatever is asked for', async () => {
    const demands = [
      none,
      some,
      { ...none, voles: 3 },
      { ...none, otsFromSender: 7 },
      { ...none, sharedBits: 1 },
      // More than one piece.
      { ...none, otsFromReceiver: dealtPieceMax + 8, voles: dealtPieceMax + 1 },
    ];
    for (const demand of demands) {
      const { rounds, bytes } = await lockstep([receiver, sender, dealer], (ch) => program(ch, demand));
      const total = Object.values(bytes).reduce((sum, each) => sum + each, 0);
      expect({ rounds, bytes: total }).toEqual(dealtCost(demand));
    }
    expect(dealtCost(none)).toEqual({ rounds: 0, bytes: 0 });
    expect(dealtCost({ ...none, otsFromSender: 7, voles: 3 })).toEqual({ rounds: 2, bytes: 8 + 16 * (8 + 3) });
  });

  it('is not heard of again once the two have what they asked for', async () => {
    const all = channels([receiver, sender, dealer]);
    const [mine, theirs] = await Promise.all(all.map((ch) => program(ch, some)));
    for (const ch of all.slice(0, 2)) ch.fail(new ProtocolError('PARTY_FAILED', { party: dealer }), dealer);
    const [q, held] = await Promise.all([
      mine!.sender.extend(801, 'given'),
      theirs!.receiver.extend(801, new Uint8Array(101)),
    ]);
    // All choices are 0.
    expect(held.rows).toEqual(q);
  });

  it('refuses a request of anything but the demand', async () => {
    for (const [label, party, count] of [
      ['ots-from-sender', receiver, some.otsFromSender + 8],
      ['ots-from-receiver', sender, some.otsFromReceiver],
      ['voles', receiver, some.voles + 1],
    ] as const) {
      const all = channels([receiver, sender, dealer]);
      const dealing = dealPair(all[2]!, sender, receiver, some);
      const request = new Uint8Array(4);
      new DataView(request.buffer).setUint32(0, count, true);
      const asking = all.find(({ self }) => self === party)!;
      await asking.fork('dealt-pair').fork(label).send(dealer, 'dealt/request', request);
      await expect(dealing).rejects.toThrow(expect.objectContaining({ code: 'BAD_MESSAGE', party }));
    }
  });

  it('is refused where what it sends is of another length', async () => {
    for (const [bytes, refusal] of [
      [16 * 32, 'BAD_MESSAGE'],
      [16 * 34, 'TOO_LARGE'],
    ] as const) {
      const [a, , d] = channels([receiver, sender, dealer]);
      const asked = dealtReceiver(a!, sender, dealer, { ...none, voles: 33 });
      await d!.fork('dealt-pair').fork('voles').send(receiver, 'dealt/rows', new Uint8Array(bytes));
      await expect(asked).rejects.toThrow(code(refusal));
    }
  });

  it('hands out no more than was asked for, at either end', async () => {
    const { values } = await lockstep([receiver, sender, dealer], (ch) => program(ch, some));
    for (const source of values.slice(0, 2)) {
      await expect(source!.vole.extend(34)).rejects.toThrow('no more');
      await expect(source!.sender.extend(900)).rejects.toThrow('no more');
      await expect(source!.receiver.extend(900)).rejects.toThrow('no more');
      await expect(source!.bits.triples(1)).rejects.toThrow('no more');
    }
  });

  it('deals no more than its limit', async () => {
    const [a, b, d] = channels([receiver, sender, dealer]);
    for (const ch of [a!, b!, d!]) {
      await expect(program(ch, { ...none, otsFromSender: dealtMax + 1 })).rejects.toThrow(code('OVER_LIMIT'));
    }
  });

  it('leaves all right or ends in typed errors, whatever the links do', async () => {
    const faults: Faults[] = [
      { delay: 0.5 },
      { loss: 0.1 },
      { repeat: 0.2 },
      { corrupt: 0.1 },
      { cut: 0.1 },
      ...[1, 2, 3].map((atStep) => ({ crash: { party: dealer, atStep } })),
    ];
    let refused = 0;
    for (const [seed, fault] of faults.entries()) {
      const { outcomes } = await simulate({ parties: [receiver, sender, dealer], seed, faults: fault }, async (ch) => {
        const source = await program(ch, some);
        if (source === undefined) return undefined;
        if (ch.self === sender) return source.sender.extend(16, 'given');
        return (await source.receiver.extend(16, new Uint8Array(2))).rows;
      });
      for (const outcome of outcomes.values()) {
        if (!('error' in outcome)) continue;
        expect(outcome.error).toMatchObject({ layer: 'protocol' });
        refused += 1;
      }
      const [t, q] = [outcomes.get(receiver)!, outcomes.get(sender)!];
      if ('value' in t && 'value' in q) expect(t.value).toEqual(q.value);
    }
    expect(refused).toBeGreaterThan(0);
  });
});

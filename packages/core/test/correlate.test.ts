import { describe, expect, it } from 'vitest';
import type { Channel } from '../src/channel/channel.ts';
import { type Faults, simulate } from '../src/channel/simulate.ts';
import { correlate, correlateCost, dealFor } from '../src/engine/correlate.ts';
import type { Correlations, Demand } from '../src/protocols/correlations.ts';
import { type LaneTask, laneDemands, lanesFor, runLane } from '../src/protocols/lanes.ts';
import type { OtOptions } from '../src/protocols/ot-extension.ts';
import type { Stock } from '../src/protocols/prefetch.ts';
import { partyNames } from './channels.ts';
import { expectAll, expectAtCost, large, none, rngOf, small, total } from './correlate-cost.ts';
import { lockstep } from './lockstep.ts';
import { idealBaseOts } from './relations.ts';

const helper = 'helper';

describe('lanes', () => {
  it('are as many as the demand is worth, and share it without a rest', () => {
    const demands: [Demand, number][] = [
      [none, 1],
      [small, 1],
      [{ ...none, triples: 49_999 }, 1],
      [{ ...none, triples: 50_000 }, 2],
      [large, 2],
      [{ bitTriples: 10 ** 8, triples: 10 ** 6, sharedBits: 1 }, 4],
    ];
    for (const [demand, lanes] of demands) {
      expect(lanesFor(demand)).toBe(lanes);
      const parts = laneDemands(demand);
      expect(parts.length).toBe(lanes);
      for (const kind of ['bitTriples', 'triples', 'sharedBits'] as const) {
        expect(parts.reduce((sum, part) => sum + part[kind], 0)).toBe(demand[kind]);
        // A lane that ends within a block is followed by none that has more.
        for (const part of parts.slice(0, -1)) {
          if (part[kind] % 128 !== 0)
            expect(parts.slice(parts.indexOf(part) + 1).every((p) => p[kind] === 0)).toBe(true);
        }
      }
    }
  });

  const ideal = { base: idealBaseOts };
  it.each<[number, string, Demand, OtOptions]>([
    [2, 'few, over real base OTs', small, {}],
    [2, 'few', small, { extension: 'silent', ...ideal }],
    [2, 'many', { ...none, triples: 8192 + 1 }, { extension: 'softspoken', k: 2, ...ideal }],
    [2, 'enough for two lanes', large, { extension: 'softspoken', ...ideal }],
    [3, 'few', small, { extension: 'softspoken', k: 1, ...ideal }],
    [3, 'few, silently', small, { extension: 'silent', ...ideal }],
    [4, 'few', small, { extension: 'softspoken', k: 1, ...ideal }],
  ])('make what the relations ask for, at the cost stated, among %i: %s', async (parties, _, demand, options) => {
    await expectAtCost(parties, demand, options);
  });

  it('run where the caller places them, from plain data', async () => {
    const places: string[] = [];
    const run = await lockstep(partyNames(2), (ch) => {
      const rng = rngOf(ch);
      const lanes = {
        async run(lane: Channel, task: LaneTask): Promise<Stock> {
          places.push(ch.self);
          return runLane(lane, structuredClone(task), rng);
        },
      };
      return correlate(ch, { helper: null, demand: large, rng, lanes, options: { base: idealBaseOts } });
    });
    expect(places.sort()).toEqual(partyNames(2).flatMap((party) => [party, party]));
    await expectAll(run.values, large);
  });

  it('have keys of their own, and one Δ', async () => {
    const tasks: LaneTask[] = [];
    await lockstep(partyNames(2), (ch) => {
      const rng = rngOf(ch);
      const run = (lane: Channel, task: LaneTask) => {
        tasks.push(task);
        return runLane(lane, task, rng);
      };
      return correlate(ch, { helper: null, demand: large, rng, lanes: { run }, options: { base: idealBaseOts } });
    });
    const keys = tasks.flatMap((task) => task.keys.map(({ sent }) => Buffer.from(sent).toString('hex')));
    const halves = keys.flatMap((all) => all.match(/.{32}/g)!);
    expect(new Set(halves).size).toBe(4 * 256);
    expect(
      new Set(tasks.flatMap((task) => task.keys.map(({ delta }) => Buffer.from(delta).toString('hex')))).size,
    ).toBe(2);
  });
});

/** What each party comes to, with or without a helper. */
function run(parties: number, demand: Demand, withHelper: boolean, faults: Faults = {}, seed = 1) {
  const names = withHelper ? [...partyNames(parties), helper] : partyNames(parties);
  const options = { base: idealBaseOts };
  return simulate({ parties: names, seed, faults }, async (ch): Promise<Correlations | undefined> => {
    if (ch.self === helper) return dealFor(ch, demand) as Promise<undefined>;
    return correlate(ch, { helper: withHelper ? helper : null, demand, rng: rngOf(ch), options });
  });
}

describe('correlations for a computation', () => {
  it('cost no message where none are needed', async () => {
    for (const withHelper of [true, false]) {
      const { messages, outcomes } = await run(3, none, withHelper);
      expect(messages).toBe(0);
      const outcome = outcomes.get('party-00')!;
      expect('value' in outcome && (await outcome.value!.triples(0)).a.words.length).toBe(0);
      expect(correlateCost(3, { helper: withHelper ? helper : null, demand: none })).toEqual({ rounds: 0, bytes: 0 });
    }
  });

  it('come from the helper that is named, who is gone when they are there', async () => {
    const { bytes, outcomes } = await run(3, small, true);
    expect(total(bytes)).toBe(correlateCost(3, { helper, demand: small }).bytes);
    const sources = [...outcomes.values()].flatMap((each) => ('value' in each && each.value ? [each.value] : []));
    expect(outcomes.get(helper)).toEqual({ value: undefined });
    await expectAll(sources, small);
  });

  it('end in a typed error that names a dealer who goes away', async () => {
    const names = [...partyNames(2), helper];
    const { outcomes } = await simulate({ parties: names, seed: 1 }, async (ch) => {
      if (ch.self !== helper) return void (await correlate(ch, { helper, demand: small, rng: rngOf(ch) }));
      // It hears a request, and ends without an answer.
      await ch.fork('dealer').fork('triples').recv('party-01', 'dealer/request', 4);
      throw new Error('gone');
    });
    expect(outcomes.get('party-01')).toMatchObject({ error: { code: 'PARTY_FAILED', party: helper } });
  });

  it('are right at all parties or end in typed errors, whatever the links do', async () => {
    const faults: Faults[] = [
      { delay: 0.5 },
      { loss: 0.05 },
      { repeat: 0.1 },
      { corrupt: 0.05 },
      { cut: 0.05 },
      { reorder: 0.3 },
      ...[1, 3, 6, 9].map((atStep) => ({ crash: { party: 'party-00', atStep } })),
    ];
    for (const withHelper of [true, false]) {
      let refused = 0;
      for (const [seed, fault] of faults.entries()) {
        const { outcomes } = await run(3, small, withHelper, fault, seed);
        const sources: Correlations[] = [];
        for (const outcome of outcomes.values()) {
          if ('error' in outcome) expect(outcome.error).toMatchObject({ layer: 'protocol' });
          else if (outcome.value !== undefined) sources.push(outcome.value);
        }
        if (sources.length === 3) await expectAll(sources, small);
        else refused += 1;
      }
      expect(refused).toBeGreaterThan(0);
    }
  });

  it('end in a typed error at all parties where one stops within an extension', async () => {
    for (const atStep of [8, 12, 16, 20]) {
      const { outcomes } = await run(3, small, false, { crash: { party: 'party-01', atStep } });
      for (const outcome of outcomes.values()) expect(outcome).toMatchObject({ error: { layer: 'protocol' } });
    }
  });
});

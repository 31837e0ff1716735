/**
 * Correlations of a demand among some parties, held against their relations and their stated cost.
 * @module
 */
import { expect } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import type { Channel } from '../src/channel/channel.ts';
import { type CorrelateTerms, correlate, correlateCost } from '../src/engine/correlate.ts';
import type { Correlations, Demand } from '../src/protocols/correlations.ts';
import { otPreprocessing } from '../src/protocols/lanes.ts';
import type { OtOptions } from '../src/protocols/ot-extension.ts';
import { partyNames } from './channels.ts';
import { lockstep } from './lockstep.ts';
import { expectBitTriples, expectSharedBits, expectTriples } from './relations.ts';

export const none: Demand = { bitTriples: 0, triples: 0, sharedBits: 0 };
export const small: Demand = { bitTriples: 320, triples: 50, sharedBits: 77 };
/** Enough for two lanes, most of it in the kind that is cheapest to make. */
export const large: Demand = { bitTriples: 3_200_000, triples: 130, sharedBits: 300 };

export const rngOf = (ch: Channel) => seededRng(ch.context.roster.indexOf(ch.self));
export const total = (bytes: Readonly<Record<string, number>>) =>
  Object.values(bytes).reduce((sum, each) => sum + each, 0);

export async function expectAll(sources: readonly Correlations[], demand: Demand): Promise<void> {
  const { bitTriples, triples, sharedBits } = demand;
  expectTriples(await Promise.all(sources.map((s) => s.triples(triples))), triples);
  expectBitTriples(await Promise.all(sources.map((s) => s.bitTriples(bitTriples))), bitTriples);
  expectSharedBits(await Promise.all(sources.map((s) => s.sharedBits(sharedBits))), sharedBits);
  for (const source of sources) await expect(source.triples(1)).rejects.toThrow('no more correlations');
}

/** Without a helper: what is made, in as many rounds and bytes as stated, and how far it says it is meanwhile. */
export async function expectAtCost(parties: number, demand: Demand, options: OtOptions): Promise<void> {
  const told: number[] = [];
  const report = (done: number) => void told.push(done);
  const terms = (ch: Channel): CorrelateTerms => ({
    ...{ helper: null, demand, rng: rngOf(ch), options },
    ...(ch.self === partyNames(parties)[0] && { report }),
  });
  const run = await lockstep(partyNames(parties), (ch) => correlate(ch, terms(ch)));
  const { rounds, bytes } = otPreprocessing(parties, demand, options);
  // Ideal base OTs have no message.
  const base = options.base === undefined ? [0, 0] : [1, parties * (parties - 1) * 4128];
  expect([run.rounds, total(run.bytes)]).toEqual([rounds - base[0]!, bytes - base[1]!]);
  // How far it is, up to the end.
  expect(told).toEqual([...told].sort((a, b) => a - b));
  expect(told.at(-1)).toBeCloseTo(1, 12);
  expect(correlateCost(parties, { helper: null, demand, options })).toEqual({ rounds, bytes });
  if (demand.sharedBits < 2 ** 20) await expectAll(run.values, demand);
}

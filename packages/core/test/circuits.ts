/**
 * Circuits run on shares in a simulated session, on ideal correlations: the relation that tests check is the cost and
 * what the parties' shares open to.
 * @module
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { toIntegers, type Vector, Z2_64 } from '../src/algebra/ring.ts';
import type { Channel } from '../src/channel/channel.ts';
import { ProtocolError } from '../src/channel/errors.ts';
import { type Faults, type Simulation, simulate } from '../src/channel/simulate.ts';
import type { Correlations, Demand } from '../src/protocols/correlations.ts';
import type { Cost } from '../src/protocols/cost.ts';
import { idealCorrelations } from '../src/protocols/ideal-correlations.ts';
import { open, share } from '../src/sharing/additive.ts';
import { type Bits, openBits, unpackBits } from '../src/sharing/bit-share.ts';
import { partyNames } from './channels.ts';

/** Wraps, so that −2^63 has its place too. */
export function elementsOf(integers: readonly bigint[]): Vector {
  return { ring: Z2_64, words: BigUint64Array.from(integers, (each) => BigInt.asUintN(64, each)) };
}

export type Program<T> = (ch: Channel, source: Correlations, shares: Vector[]) => Promise<T>;

interface Options {
  readonly parties?: number;
  readonly seed?: number;
  readonly faults?: Faults;
}

interface Run<T> {
  readonly simulation: Simulation<T>;
  readonly taken: Demand;
}

/** Every party has its shares of the inputs and runs the same program. */
async function simulateOnShares<T>(
  inputs: readonly Vector[],
  program: Program<T>,
  { parties = 3, seed = 1, faults = {} }: Options = {},
): Promise<Run<T>> {
  const rng = seededRng(seed);
  const shared = inputs.map((each) => share(each, parties, rng));
  let taken: Demand = { bitTriples: 0, triples: 0, sharedBits: 0 };
  const simulation = await simulate({ parties: partyNames(parties), seed, faults }, (ch) => {
    const source = idealCorrelations(ch, seed);
    taken = source.taken;
    const me = ch.context.roster.indexOf(ch.self);
    return program(
      ch,
      source,
      shared.map((each) => each[me]!),
    );
  });
  return { simulation, taken };
}

/** All parties' results, where nothing may fail, at exactly this cost. */
export async function onShares<T>(
  inputs: readonly Vector[],
  program: Program<T>,
  options: Options = {},
  cost?: Cost,
): Promise<T[]> {
  const { simulation, taken } = await simulateOnShares(inputs, program, options);
  if (cost !== undefined) {
    expect({ ...taken, rounds: simulation.rounds }).toEqual({
      rounds: cost.rounds,
      bitTriples: cost.bitTriples,
      triples: cost.triples,
      sharedBits: cost.sharedBits,
    });
    expect(new Set(Object.values(simulation.bytes))).toEqual(new Set([cost.bytes]));
  }
  return Array.from(simulation.outcomes.values(), (outcome) => {
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  });
}

/** What the first party received: the labels and sizes of messages, and how often it saw each byte. */
interface View {
  readonly messages: readonly string[];
  readonly bytes: Float64Array;
}

export async function viewOf<T>(inputs: readonly Vector[], program: Program<T>, options: Options = {}): Promise<View> {
  const messages: string[] = [];
  const bytes = new Float64Array(256);
  await onShares(
    inputs,
    (ch, source, shares) => {
      const recv = async (from: string, label: string, bytesMax: number) => {
        const message = await ch.recv(from, label, bytesMax);
        if (ch.self === 'party-00') {
          messages.push(`${from} ${label} ${message.length}`);
          for (const byte of message) bytes[byte]! += 1;
        }
        return message;
      };
      return program({ ...ch, recv }, source, shares);
    },
    options,
  );
  return { messages, bytes };
}

/** Of bytes against the uniform distribution: 255 degrees of freedom, above 350 once in 15,000 fair runs. */
export function chiSquare(counts: Float64Array): number {
  const total = counts.reduce((sum, each) => sum + each, 0);
  expect(total).toBeGreaterThan(10_000);
  return counts.reduce((sum, each) => sum + (each - total / 256) ** 2 / (total / 256), 0);
}

export const opened = (shares: Vector[]): bigint[] => toIntegers(open(shares));
export const openedBits = (shares: Bits[]): number[] => [...unpackBits(openBits(shares))];

/** Under faults each party has a typed error, or what it holds belongs to the right result. */
export async function expectRightOrTyped<T>(
  inputs: readonly Vector[],
  program: Program<T>,
  check: (values: T[]) => void,
): Promise<void> {
  const fates: Faults[] = [
    { loss: 0.03 },
    { repeat: 0.05, reorder: 0.3 },
    { corrupt: 0.03, cut: 0.03 },
    { delay: 0.4 },
    { crash: { party: 'party-01', atStep: 5 } },
  ];
  let failed = 0;
  let whole = 0;
  for (const [i, faults] of fates.entries()) {
    for (let seed = 0; seed < 8; seed++) {
      const { simulation } = await simulateOnShares(inputs, program, { seed: 100 * i + seed, faults });
      const outcomes = [...simulation.outcomes.values()];
      for (const outcome of outcomes) if ('error' in outcome) expect(outcome.error).toBeInstanceOf(ProtocolError);
      const values = outcomes.flatMap((outcome) => ('value' in outcome ? [outcome.value] : []));
      if (values.length < outcomes.length) failed += 1;
      else {
        whole += 1;
        check(values);
      }
    }
  }
  // The faults do happen, and not always.
  expect(failed).toBeGreaterThan(0);
  expect(whole).toBeGreaterThan(0);
}

const top = 1n << 63n;
const boundaries = [0n, 1n, -1n, 2n, -2n, 1n << 62n, -(1n << 62n), top - 1n, -top, -top + 1n, 1n << 32n, -5n];

/** Signed values of 64 bits, the odd ones often. */
export const signed = fc.oneof(
  fc.constantFrom(...boundaries),
  fc.bigInt({ min: -top, max: top - 1n }),
  fc.bigInt({ min: -4n, max: 4n }),
);

/** All ordered pairs of boundary values, 144 of them. */
export const boundaryPairs: [bigint, bigint][] = boundaries.flatMap((x) =>
  boundaries.map((y): [bigint, bigint] => [x, y]),
);

/** Numbers of parties under test. */
export const partyCounts = [2, 3, 5];

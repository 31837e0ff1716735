/**
 * What the sums of a join cost, exactly, from the plan and the sizes of both sets: so that a plan can state it, and
 * correlated randomness be made ahead of it.
 * @module
 */
import { matchesCost } from '../protocols/circuit-psi.ts';
import { binsFor } from '../protocols/cuckoo.ts';
import { octetsOf } from '../protocols/given-choices.ts';
import type { PairDemand } from '../protocols/pair-source.ts';
import type { SetSizes } from '../protocols/psi.ts';
import { bucketSteps, type Step } from './join-bucket.ts';
import { type JoinPlan, payloadOf } from './join-plan.ts';

export interface JoinSumsCost {
  readonly rounds: number;
  /** Of both sides' messages together, without what their correlated randomness costs. */
  readonly bytes: number;
  readonly demand: PairDemand;
}

/** Bins of the largest bucket. */
const bucketBinsMax = 2 ** 17;

/** Transfers that a bucket takes ahead, each way: 32 MiB. */
const bucketOtsMax = 2 ** 21;

/** Words of products, factors and columns that a bucket holds: 128 MiB. */
const bucketWordsMax = 2 ** 24;

/** Buckets that are worked on at once: while one waits for an answer, another goes on. */
export const bucketsAtOnce = 2;

/** From where to where each bucket goes: in whole words of bits. */
export function bucketsOf(plan: JoinPlan, bins: number): { readonly start: number; readonly end: number }[] {
  const { otsFromSender, otsFromReceiver } = demandOf(plan, 32);
  const each = Math.max(otsFromSender, otsFromReceiver, 1) / 32;
  const held = [...plan.products.map(({ ring }) => ring), ...plan.wordRings].reduce(
    (sum, ring) => sum + (ring?.limbs ?? 0),
    1 + plan.slots * plan.factors.length,
  );
  const room = Math.min(bucketBinsMax, bucketOtsMax / each, bucketWordsMax / held);
  const most = 32 * Math.max(1, Math.floor(room / 32));
  return Array.from({ length: Math.ceil(bins / most) }, (_, i) => {
    return { start: i * most, end: Math.min((i + 1) * most, bins) };
  });
}

/** What a bucket of so many bins takes. */
export function demandOf(plan: JoinPlan, count: number): Omit<PairDemand, 'sharedBits' | 'voles'> {
  const demand = { bitTriples: 0, otsFromSender: 0, otsFromReceiver: 0 };
  for (const step of bucketSteps(plan, count)) {
    if (step.kind === 'exchange') demand.bitTriples += step.bitTriples;
    else {
      if (step.from !== 'receiver') demand.otsFromSender += octetsOf(step.cost.ots);
      if (step.from !== 'sender') demand.otsFromReceiver += octetsOf(step.cost.ots);
    }
  }
  return demand;
}

/** Of `joinSums`. */
export function joinSumsCost(plan: JoinPlan, sizes: SetSizes): JoinSumsCost {
  const matching = matchesCost(sizes.receiver, sizes.sender, payloadOf(plan));
  const { bitTriples, voles } = matching;
  const demand = { bitTriples, sharedBits: 0, otsFromSender: 0, otsFromReceiver: 0, voles };
  let { bytes } = matching;
  // The sender begins to compare when its hint has gone out.
  const hinted = matching.rounds - matching.compared;
  let clocks = new Clocks(hinted - 1, hinted);
  for (let round = 0; round < matching.compared; round++) clocks.exchange();
  const buckets = bucketsOf(plan, binsFor(sizes.receiver));
  // All buckets but the last are alike.
  const known = new Map<number, { readonly steps: readonly Step[]; readonly taken: ReturnType<typeof demandOf> }>();
  const stepsOf = (count: number) => {
    const found = known.get(count) ?? { steps: bucketSteps(plan, count), taken: demandOf(plan, count) };
    known.set(count, found);
    return found;
  };
  for (let first = 0; first < buckets.length; first += bucketsAtOnce) {
    const ends: Clocks[] = [];
    for (const { start, end } of buckets.slice(first, first + bucketsAtOnce)) {
      const own = clocks.copy();
      const { steps, taken } = stepsOf(end - start);
      demand.bitTriples += taken.bitTriples;
      demand.otsFromSender += taken.otsFromSender;
      demand.otsFromReceiver += taken.otsFromReceiver;
      for (const step of steps) {
        if (step.kind === 'exchange') bytes += step.bytes;
        else bytes += (step.cost.bytes + Math.ceil(step.cost.ots / 8)) * (step.from === 'both' ? 2 : 1);
        own.take(step);
      }
      ends.push(own);
    }
    clocks = Clocks.latest(ends);
  }
  return { rounds: clocks.rounds, bytes, demand };
}

/** Rounds after which each side goes on: who has answered need not wait for the other to have read it. */
class Clocks {
  #sender: number;
  #receiver: number;

  constructor(sender: number, receiver: number) {
    this.#sender = sender;
    this.#receiver = receiver;
  }

  static latest(all: readonly Clocks[]): Clocks {
    return new Clocks(Math.max(...all.map((each) => each.#sender)), Math.max(...all.map((each) => each.#receiver)));
  }

  copy(): Clocks {
    return new Clocks(this.#sender, this.#receiver);
  }

  get rounds(): number {
    return Math.max(this.#sender, this.#receiver);
  }

  take(step: Step): void {
    if (step.kind === 'exchange') {
      for (let round = 0; round < step.rounds; round++) this.exchange();
      return;
    }
    for (let round = 0; round < step.cost.rounds; round += 2) {
      if (step.from === 'both') {
        this.exchange();
        this.exchange();
      } else this.#answer(step.from);
    }
  }

  exchange(): void {
    const [sender, receiver] = [this.#sender, this.#receiver];
    this.#sender = Math.max(sender, receiver + 1);
    this.#receiver = Math.max(receiver, sender + 1);
  }

  /** Choices one way, and the answer to them from this side. */
  #answer(from: 'sender' | 'receiver'): void {
    if (from === 'sender') {
      this.#sender = Math.max(this.#sender, this.#receiver + 1);
      this.#receiver = this.#sender + 1;
    } else {
      this.#receiver = Math.max(this.#receiver, this.#sender + 1);
      this.#sender = this.#receiver + 1;
    }
  }
}

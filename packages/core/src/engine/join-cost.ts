/**
 * What the sums of a join cost, exactly, from the plan and the sizes of both sets: so that a plan can state it, and
 * correlated randomness be made ahead of it.
 * @module
 */
import type { Ring } from '../algebra/ring.ts';
import { placedCost } from '../protocols/all-but-one-ot.ts';
import { andCost } from '../protocols/and.ts';
import { bitProductCost } from '../protocols/bit-product.ts';
import { bucketsOf, matchesCost } from '../protocols/circuit-psi.ts';
import { binsFor } from '../protocols/cuckoo.ts';
import { productCost } from '../protocols/gilboa.ts';
import type { TransferCost } from '../protocols/oblivious-transfer.ts';
import type { PairDemand } from '../protocols/pair-source.ts';
import type { SetSizes } from '../protocols/psi.ts';
import { wordsFor } from '../sharing/bit-share.ts';
import type { JoinPlan } from './join-plan.ts';

export interface JoinCost {
  readonly rounds: number;
  /** Of both sides' messages together, without what their correlated randomness costs. */
  readonly bytes: number;
  readonly demand: PairDemand;
}

/** Of `joinSums`. */
export function joinSumsCost(plan: JoinPlan, sizes: SetSizes): JoinCost {
  const flags = plan.columns.filter(({ kind }) => kind === 'flag').length;
  const words = plan.wordRings.filter((ring) => ring !== null);
  const matching = matchesCost(sizes.receiver, sizes.sender, { rings: words, flags });
  let { bytes } = matching;
  const demand = {
    bitTriples: matching.bitTriples,
    sharedBits: 0,
    otsFromSender: 0,
    otsFromReceiver: 0,
    voles: matching.voles,
  };
  const hinted = matching.rounds - matching.compared;
  const clocks = new Clocks(hinted - 1, hinted);
  for (let round = 0; round < matching.compared; round++) clocks.exchange();
  const transfer = ({ bytes: sent, ots }: TransferCost, sender: Sender) => {
    bytes += sent + Math.ceil(ots / 8);
    demand[sender] += 8 * Math.ceil(ots / 8);
  };
  for (const { start, end } of bucketsOf(binsFor(sizes.receiver))) {
    const count = end - start;
    const masked = andCost(2, flags * wordsFor(count));
    bytes += 2 * masked.bytes;
    demand.bitTriples += masked.bitTriples;
    for (let round = 0; round < masked.rounds; round++) clocks.exchange();
    const both = bitProductCost(count, words);
    for (const sender of ['otsFromSender', 'otsFromReceiver'] as const) transfer(both, sender);
    for (let round = 0; round < both.rounds; round += 2) clocks.transferBothWays();
    for (let slot = 0; slot < plan.slots; slot++) {
      for (const { cost, sender } of slotCosts(plan, count)) {
        transfer(cost, sender);
        for (let round = 0; round < cost.rounds; round += 2) clocks.transfer(sender);
      }
    }
  }
  return { rounds: clocks.rounds, bytes, demand };
}

type Sender = 'otsFromSender' | 'otsFromReceiver';

/** Rounds after which each side goes on: who has answered need not wait for the other to have read it. */
class Clocks {
  #sender: number;
  #receiver: number;

  constructor(sender: number, receiver: number) {
    this.#sender = sender;
    this.#receiver = receiver;
  }

  get rounds(): number {
    return Math.max(this.#sender, this.#receiver);
  }

  exchange(): void {
    const [sender, receiver] = [this.#sender, this.#receiver];
    this.#sender = Math.max(sender, receiver + 1);
    this.#receiver = Math.max(receiver, sender + 1);
  }

  /** Choices one way, and the answer to them. */
  transfer(from: Sender): void {
    if (from === 'otsFromSender') {
      this.#sender = Math.max(this.#sender, this.#receiver + 1);
      this.#receiver = this.#sender + 1;
    } else {
      this.#receiver = Math.max(this.#receiver, this.#sender + 1);
      this.#sender = this.#receiver + 1;
    }
  }

  transferBothWays(): void {
    this.exchange();
    this.exchange();
  }
}

/** Of the products and their places in one slot of so many bins. */
function slotCosts({ columns, factors, products, cells }: JoinPlan, count: number) {
  const costs: { readonly cost: TransferCost; readonly sender: Sender }[] = [];
  for (const [at, { kind }] of columns.entries()) {
    const own = products.filter(({ column }) => column === at);
    const rings: Ring[] = own.map(({ ring }) => ring);
    if (kind !== 'word') costs.push({ cost: bitProductCost(count, rings), sender: 'otsFromReceiver' });
    else {
      for (const { ring, factor } of own) {
        const { bits } = factors[factor]!;
        if (bits > 0) costs.push({ cost: productCost(count, ring, bits), sender: 'otsFromSender' });
      }
    }
  }
  const rings = products.map(({ ring }) => ring);
  if (cells > 1) costs.push({ cost: placedCost(count, rings, cells), sender: 'otsFromSender' });
  return costs;
}

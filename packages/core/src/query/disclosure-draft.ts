/**
 * A disclosure while it is found: its slots, what is derived from them, and the conditions on them, each once.
 *
 * What cannot be compared, divided or rounded in 64 bits is refused here, from public bounds alone, before anything runs.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { bitLength } from '../algebra/integer-root.ts';
import { type Ring, rings, Z2_64 } from '../algebra/ring.ts';
import { InputError } from '../channel/errors.ts';
import { canLocate, millionths } from '../protocols/locate.ts';
import { canQuote } from '../protocols/quotient.ts';
import { canRound } from '../protocols/round.ts';
import type { CheckedJob } from './check-job.ts';
import { boundsOf, type Dataset } from './dictionary.ts';
import type { Crowd, Derived, Disclosure, Form, Slot } from './disclosure.ts';
import { type InputSlot, slots } from './input-slot.ts';
import { type Figure, keyOf, type Part, type Prepared } from './measure/family.ts';
import { headcount, largestOf, magnitudeOf } from './prepared.ts';
import { type LocalQuery, type Statistic, statisticBound } from './statistic.ts';
import type { Strictness } from './strictness.ts';

/** Circuits of 64 bits hold every form, sum and product below this. */
const formMax = 1n << 61n;

/** A condition on a number of people, and the number. */
export interface CrowdForm {
  readonly form: number;
  readonly crowd: Crowd;
}

/** At how many of the parties one person may be counted. */
function appearances({ unit, max_parties_per_unit }: Dataset, parties: number): bigint {
  return unit === 'row' ? 1n : BigInt(Math.min(max_parties_per_unit, parties));
}

export class Draft {
  readonly checked: CheckedJob;
  /** The least number of people behind a number; 0 for none. */
  readonly threshold: number;
  readonly #query: LocalQuery;
  readonly #round: number;
  readonly #rules: Strictness['dominance'];
  readonly #inputs: readonly InputSlot[];
  readonly #rings: Ring[] = [];
  readonly #bounds: bigint[] = [];
  readonly #derived: Derived[] = [];
  readonly #forms: Form[] = [];
  /** Of what was derived or asked before, by its text: the first slot or the form. */
  readonly #known = new Map<string, number>();
  /** The first slot of each statistic. */
  readonly #places = new Map<string, Slot>();
  readonly #appearances: bigint;

  constructor(checked: CheckedJob, query: LocalQuery, { minGroup, round, dominance }: Strictness) {
    this.checked = checked;
    this.#query = query;
    this.#round = round;
    this.#rules = dominance;
    this.#inputs = slots(query, checked.parties);
    this.#appearances = appearances(checked.dataset, checked.parties.length);
    // A group of one is nobody's crowd: a minimum of 1 is no threshold, and an empty group is then shown as empty. Under
    // a dominance rule it is not, as nobody can be told to contribute little to nothing.
    this.threshold = minGroup > 1 ? minGroup : dominance.length > 0 ? 1 : 0;
    const groups = checked.total ? BigInt(query.cells) : 1n;
    for (const [at, { statistic }] of this.#inputs.entries()) {
      const { of } = query.statistics[statistic]!;
      const bound = statisticBound(query.statistics[statistic]!, checked.dataset, checked.parties.length);
      // Rows are in one group each, so a total over the groups keeps within the bound; people may be in several.
      this.#bounds.push(of === 'people' || of === 'top' ? bound * groups : bound);
      this.#rings.push(rings.find(({ bits }) => bound < 1n << BigInt(bits - 1))!);
      const key = keyOf(query.statistics[statistic]!);
      if (!this.#places.has(key)) this.#places.set(key, at);
    }
  }

  /** What has been found. */
  found(): Pick<Disclosure, 'groups' | 'total' | 'inputs' | 'rings' | 'bounds' | 'derived' | 'forms' | 'threshold'> {
    return {
      groups: this.#query.cells,
      total: this.checked.total,
      inputs: this.#inputs,
      rings: this.#rings,
      bounds: this.#bounds,
      derived: this.#derived,
      forms: this.#forms,
      threshold: this.threshold,
    };
  }

  slotOf(statistic: Statistic): Slot {
    const slot = this.#places.get(keyOf(statistic));
    assert(slot !== undefined, 'the query holds every sum that is opened or tested');
    return slot;
  }

  /** The slots of what a figure of a measure opens. */
  figure(name: string, figure: Figure, { statistics, unit }: Prepared): Slot[] {
    const slot = (at: number): Slot => this.slotOf(statistics[at]!);
    const field = `measures.${name}`;
    switch (figure.kind) {
      case 'sum':
        return [unit === undefined ? slot(figure.of) : this.#rounded(field, slot(figure.of), unit)];
      case 'quotient':
        return this.#quotient(field, figure, statistics);
      case 'quantile': {
        const counts = figure.counts.map(slot);
        const countMax = counts.reduce((max, count) => (this.#bounds[count]! > max ? this.#bounds[count]! : max), 0n);
        if (!canLocate(figure.rank, countMax)) throw tooLarge(field, countMax * figure.rank.d);
        const first = this.#derive({ kind: 'quantile', counts, rank: figure.rank }, [
          BigInt(counts.length),
          millionths,
        ]);
        return [first, first + 1];
      }
    }
  }

  #rounded(field: string, of: Slot, unit: bigint): Slot {
    const base = BigInt(this.#round) * unit;
    if (this.#round === 1) return of;
    if (!canRound(base, bitLength(this.#bounds[of]!))) throw tooLarge(field, this.#bounds[of]!);
    return this.#derive({ kind: 'rounded', of, base }, [this.#bounds[of]! + base]);
  }

  #quotient(field: string, figure: Extract<Figure, { kind: 'quotient' }>, statistics: readonly Statistic[]): Slot[] {
    const [over, under] = [statistics[figure.numerator]!, statistics[figure.denominator]!];
    const [column] = under.product;
    if (column !== undefined && boundsOf(this.checked.dataset.columns[column]!).min < 0n) {
      throw new InputError('NOT_SUPPORTED', {
        field,
        detail: `\`${column}\` may be below 0, and is divided by on shares`,
        remedy: 'divide by a column that is never below 0, or leave `open: ratio` out where no rounding is in force',
      });
    }
    const [numerator, denominator] = [this.slotOf(over), this.slotOf(under)];
    const { factor } = figure;
    const [most, divisor] = [this.#bounds[numerator]!, this.#bounds[denominator]!];
    // A mean is no larger than the largest value; of a ratio nothing is known but its numerator.
    const quotientMax = (column === undefined ? largestIn(this.checked.dataset, over) : most) * factor + 1n;
    const bounds = { factor, numeratorBits: bitLength(most), denominatorBits: bitLength(divisor) };
    if (!canQuote(bounds, bitLength(quotientMax))) throw tooLarge(field, most * factor);
    const first = this.#derive({ kind: 'quotient', numerator, denominator, factor }, [quotientMax, 1n]);
    return [first, first + 1];
  }

  #derive(derived: Derived, bounds: readonly bigint[]): Slot {
    const text = textOf(derived);
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const first = this.#bounds.length;
    this.#derived.push(derived);
    this.#bounds.push(...bounds);
    this.#rings.push(...bounds.map(() => Z2_64));
    this.#known.set(text, first);
    return first;
  }

  /** Σ factor · slot + constant ≥ 0; the total over all groups may have a constant of its own. */
  form(field: string, terms: Form['terms'], constant: bigint, totalConstant = constant): number {
    const magnitude = (value: bigint) => (value < 0n ? -value : value);
    let bound = magnitude(constant) > magnitude(totalConstant) ? magnitude(constant) : magnitude(totalConstant);
    for (const [slot, factor] of terms) bound += magnitude(factor) * this.#bounds[slot]!;
    this.#checkFits(field, bound);
    const text = `form ${terms.map(([slot, factor]) => `${factor}·${slot}`)} ${constant} ${totalConstant}`;
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    this.#forms.push({ terms, constant, totalConstant, bound });
    this.#known.set(text, this.#forms.length - 1);
    return this.#forms.length - 1;
  }

  /** What is computed with on shares is 64 bits wide. */
  #checkFits(field: string, bound: bigint): void {
    if (bound >= formMax) throw tooLarge(field, bound);
  }

  /** At least so many people meet the condition. */
  crowd(where: Part['tested'][number]): CrowdForm {
    const { dataset } = this.checked;
    const statistic = headcount(where, dataset, this.#query.ownParty);
    const slot = this.slotOf(statistic);
    const needed = BigInt(this.threshold) * this.#appearances;
    // Someone with several rows may be counted in as many groups or parts.
    const several = dataset.unit === 'row' ? 1n : BigInt(dataset.max_rows_per_unit);
    const form = this.form('min_group', [[slot, 1n]], -needed, -needed * several);
    return { form, crowd: { slot, needed: needed * several } };
  }

  /** The n largest contributors, who may stand at several parties, hold at most their share. */
  dominance(name: string, sum: Statistic): number[] {
    const { dataset } = this.checked;
    const field = `measures.${name}`;
    return this.#rules.flatMap(({ n, share }) => {
      const whole = this.slotOf(magnitudeOf(sum, dataset));
      const first = largestOf(sum, n).map((statistic) => this.slotOf(statistic));
      // The slots of one rank follow each other, party by party; here the ranks of one party do.
      const of = this.checked.parties.flatMap((_, party) => first.map((slot) => slot + party));
      const count = n * Number(this.#appearances);
      const atMost = (largest: Slot) => [[whole, share.n] as const, [largest, -share.d] as const];
      if (count === 1) return of.map((slot) => this.form(field, atMost(slot), 0n));
      const bound = of.reduce((total, slot) => total + this.#bounds[slot]!, 0n);
      this.#checkFits(field, bound);
      return [this.form(field, atMost(this.#derive({ kind: 'largest', of, count, run: n }, [bound])), 0n)];
    });
  }
}

function tooLarge(field: string, bound: bigint): InputError {
  return new InputError('OVERFLOW', {
    field,
    detail: `what is compared or divided on shares can reach ${bound}`,
    remedy: 'ask over a narrower column, or over a dataset of fewer rows',
  });
}

/** The largest magnitude of one row's part of a sum. */
function largestIn({ columns }: Dataset, { product }: Statistic): bigint {
  return product.reduce((magnitude, name) => {
    const { min, max } = boundsOf(columns[name]!);
    return magnitude * (-min > max ? -min : max);
  }, 1n);
}

function textOf(derived: Derived): string {
  return JSON.stringify(derived, (_, part) => (typeof part === 'bigint' ? `${part}n` : part));
}

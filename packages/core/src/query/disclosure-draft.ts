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
import type { Condition } from './condition.ts';
import { boundsOf, type Dataset } from './dictionary.ts';
import type { Crowd, Derived, Disclosure, Form, Gap, Slot } from './disclosure.ts';
import { type InputSlot, slots } from './input-slot.ts';
import { type Figure, keyOf, type Prepared } from './measure/family.ts';
import { headcount, largestOf, magnitudeOf, thresholdOf } from './prepared.ts';
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
  readonly #gaps: Gap[][] = [];
  /** Of what was derived or asked before, by its text: the first slot or the form. */
  readonly #known = new Map<string, number>();
  /** The first slot of each statistic. */
  readonly #places = new Map<string, Slot>();
  readonly #appearances: bigint;

  constructor(checked: CheckedJob, query: LocalQuery, strictness: Strictness) {
    const { round, dominance } = strictness;
    this.checked = checked;
    this.#query = query;
    this.#round = round;
    this.#rules = dominance;
    this.#inputs = slots(query, checked.contributors);
    this.#appearances = appearances(checked.dataset, checked.contributors.length);
    this.threshold = thresholdOf(strictness);
    const groups = checked.total ? BigInt(query.cells) : 1n;
    for (const [at, { statistic }] of this.#inputs.entries()) {
      const { of } = query.statistics[statistic]!;
      const bound = statisticBound(query.statistics[statistic]!, checked.dataset, checked.contributors.length);
      // Rows are in one group each, so a total over the groups keeps within the bound; people may be in several.
      this.#bounds.push(of === 'people' || of === 'top' ? bound * groups : bound);
      this.#rings.push(rings.find(({ bits }) => bound < 1n << BigInt(bits - 1))!);
      const key = keyOf(query.statistics[statistic]!);
      if (!this.#places.has(key)) this.#places.set(key, at);
    }
  }

  /** No magnitude in a slot is larger. */
  boundOf(slot: Slot): bigint {
    return this.#bounds[slot]!;
  }

  /** What has been found. */
  found(): Pick<
    Disclosure,
    'groups' | 'total' | 'inputs' | 'rings' | 'bounds' | 'derived' | 'forms' | 'gaps' | 'threshold'
  > {
    return {
      groups: this.#query.cells,
      total: this.checked.total,
      inputs: this.#inputs,
      rings: this.#rings,
      bounds: this.#bounds,
      derived: this.#derived,
      forms: this.#forms,
      gaps: this.#gaps,
      threshold: this.threshold,
    };
  }

  slotOf(statistic: Statistic): Slot {
    const slot = this.#places.get(keyOf(statistic));
    assert(slot !== undefined, 'the query holds every sum that is opened or tested');
    return slot;
  }

  /** The slots of what a figure of a measure opens. */
  figure(name: string, figure: Figure, prepared: Prepared): Slot[] {
    const field = `measures.${name}`;
    switch (figure.kind) {
      case 'sum':
        return [this.sum(field, figure.of, prepared)];
      case 'quotient':
        return this.#quotient(field, figure, prepared);
      case 'quantile': {
        const counts = figure.counts.map((at) => this.slotOf(prepared.statistics[at]!));
        const countMax = counts.reduce((max, count) => (this.#bounds[count]! > max ? this.#bounds[count]! : max), 0n);
        if (!canLocate(figure.rank, countMax)) throw tooLarge(field, countMax * figure.rank.d);
        const bounds = [BigInt(counts.length), millionths];
        const first = this.#derive({ kind: 'quantile', counts, rank: figure.rank }, bounds);
        return [first, first + 1];
      }
    }
  }

  /** One of a measure's sums, rounded where figures are. */
  sum(field: string, at: number, { statistics, units }: Prepared): Slot {
    const of = this.slotOf(statistics[at]!);
    if (this.#round === 1 || units === undefined) return of;
    const base = BigInt(this.#round) * units[at]!;
    if (!canRound(base, bitLength(this.#bounds[of]!))) throw tooLarge(field, this.#bounds[of]!);
    return this.#derive({ kind: 'rounded', of, base }, [this.#bounds[of]! + base]);
  }

  #quotient(field: string, figure: Extract<Figure, { kind: 'quotient' }>, prepared: Prepared): Slot[] {
    const { numerator: over, denominator: under, factor } = figure;
    const [column] = prepared.statistics[under]!.product;
    if (column !== undefined && boundsOf(this.checked.dataset.columns[column]!).min < 0n) {
      throw new InputError('NOT_SUPPORTED', {
        field,
        detail: `\`${column}\` may be below 0, and is divided by on shares`,
        remedy: 'divide by a column that is never below 0, or leave `open: ratio` out',
      });
    }
    const [numerator, denominator] = [this.sum(field, over, prepared), this.sum(field, under, prepared)];
    const [most, divisor] = [this.#bounds[numerator]!, this.#bounds[denominator]!];
    // A mean is no larger than the largest value, but where both of its sums are rounded; of a ratio nothing is known.
    const isMean = column === undefined && this.#round === 1;
    const ratioMax = isMean ? largestIn(this.checked.dataset, prepared.statistics[over]!) : most;
    const quotientMax = ratioMax * factor + 1n;
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
    this.checkFits(field, bound);
    const text = `form ${terms.map(([slot, factor]) => `${factor}·${slot}`)} ${constant} ${totalConstant}`;
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    this.#forms.push({ terms, constant, totalConstant, bound });
    this.#known.set(text, this.#forms.length - 1);
    return this.#forms.length - 1;
  }

  /** What is computed with on shares is 64 bits wide. */
  checkFits(field: string, bound: bigint): void {
    if (bound >= formMax) throw tooLarge(field, bound);
  }

  /** So many numbers of people are added up on shares. */
  checkCrowds(crowds: readonly Crowd[], count: number): void {
    for (const { slot, needed } of crowds) this.checkFits('min_group', BigInt(count) * this.#bounds[slot]! + needed);
  }

  /** At least so many people meet the condition. */
  crowd(where: Condition): CrowdForm {
    const { dataset } = this.checked;
    const statistic = headcount(where, dataset, this.#query.ownParty);
    const slot = this.slotOf(statistic);
    const needed = BigInt(this.threshold) * this.#appearances;
    // Someone with several rows may be counted in as many groups or parts.
    const several = dataset.unit === 'row' ? 1n : BigInt(dataset.max_rows_per_unit);
    const form = this.form('min_group', [[slot, 1n]], -needed, -needed * several);
    return { form, crowd: { slot, needed: needed * several } };
  }

  /** Of each set of rows that none or enough are in it; the sets of one part, or of several. */
  gaps(conditions: readonly Condition[]): number | null {
    if (conditions.length === 0) return null;
    const gaps = conditions.map((where): Gap => {
      const { form, crowd } = this.crowd(where);
      return { slot: crowd.slot, some: this.form('min_group', [[crowd.slot, 1n]], -1n), enough: form };
    });
    const text = `gaps ${gaps.map(({ slot }) => slot)}`;
    const known = this.#known.get(text) ?? this.#gaps.push(gaps) - 1;
    this.#known.set(text, known);
    return known;
  }

  /**
   * The n largest contributors, who may stand at several parties, hold at most their share; also where the analyst takes
   * away what its own party brought.
   */
  dominance(name: string, sum: Statistic): number[] {
    const { dataset, contributors: parties } = this.checked;
    const { ownParty } = this.#query;
    const crews = ownParty === null ? [parties] : [parties, parties.filter((party) => party !== ownParty)];
    return this.#rules.flatMap(({ n, share }) =>
      crews.flatMap((crew) => {
        // The slots of one statistic follow each other, party by party; of the largest, the ranks of one party do here.
        const places = crew.map((party) => parties.indexOf(party));
        const whole = this.slotOf(magnitudeOf(sum, dataset, ownParty));
        const wholes = ownParty === null ? [whole] : places.map((place) => whole + place);
        const first = largestOf(sum, n).map((statistic) => this.slotOf(statistic));
        const of = places.flatMap((place) => first.map((slot) => slot + place));
        const terms = wholes.map((slot) => [slot, share.n] as const);
        const atMost = (largest: Slot) => this.form(`measures.${name}`, [...terms, [largest, -share.d]], 0n);
        const count = n * Number(this.#appearances);
        if (count === 1) return of.map(atMost);
        const bound = of.reduce((total, slot) => total + this.#bounds[slot]!, 0n);
        this.checkFits(`measures.${name}`, bound);
        return [atMost(this.#derive({ kind: 'largest', of, count, run: n }, [bound]))];
      }),
    );
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

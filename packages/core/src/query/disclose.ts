/**
 * How a job's disclosure is found: which slots, conditions and parts its measures, its `having` and the strictest of all
 * rules make of it.
 *
 * What cannot be compared in 64 bits is refused here, from public bounds alone, before anything runs.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { type Ring, rings, Z2_64 } from '../algebra/ring.ts';
import { InputError } from '../channel/errors.ts';
import { canLocate } from '../protocols/locate.ts';
import { canQuote } from '../protocols/quotient.ts';
import { canRound } from '../protocols/round.ts';
import { type CheckedJob, whereOf } from './check-job.ts';
import { compileWhere } from './condition.ts';
import { isEmptyByItself } from './condition-range.ts';
import { boundsOf, type Dataset } from './dictionary.ts';
import type {
  Crowd,
  Derived,
  DisclosedMeasure,
  DisclosedPart,
  Disclosure,
  Form,
  Partition,
  RowRule,
  Slot,
} from './disclosure.ts';
import type { Having } from './having.ts';
import { type InputSlot, slots } from './input-slot.ts';
import { type Figure, keyOf, type Part, type Prepared } from './measure/family.ts';
import { prepareMeasure } from './measures.ts';
import {
  contributedSums,
  headcount,
  largestOf,
  magnitudeOf,
  openedMeasures,
  rankedMeasure,
  testedMeasure,
} from './prepared.ts';
import { type LocalQuery, type Statistic, statisticBound } from './statistic.ts';
import type { Strictness } from './strictness.ts';

/** Circuits of 64 bits hold every form, sum and product below this. */
const formMax = 1n << 61n;

export interface DiscloseOptions {
  readonly checked: CheckedJob;
  readonly query: LocalQuery;
  readonly strictness: Strictness;
}

/** At how many of the parties one person may be counted. */
export function appearances({ unit, max_parties_per_unit }: Dataset, parties: number): bigint {
  return unit === 'row' ? 1n : BigInt(Math.min(max_parties_per_unit, parties));
}

/**
 * The disclosure of an exact job.
 * @throws InputError OVERFLOW, naming the measure whose numbers do not fit what circuits compare; NOT_SUPPORTED
 */
export function disclose({ checked, query, strictness }: DiscloseOptions): Disclosure {
  return new Draft(checked, query, strictness).finished();
}

/** A disclosure while its slots, forms and parts are found. */
class Draft {
  readonly #checked: CheckedJob;
  readonly #query: LocalQuery;
  readonly #strictness: Strictness;
  readonly #inputs: readonly InputSlot[];
  readonly #rings: Ring[] = [];
  readonly #bounds: bigint[] = [];
  readonly #derived: Derived[] = [];
  readonly #forms: Form[] = [];
  readonly #parts = new Map<string, { -readonly [K in keyof DisclosedPart]: DisclosedPart[K] }>();
  /** Of what was derived or asked before, by its text: the first slot or the form. */
  readonly #known = new Map<string, number>();
  readonly #places = new Map<string, number>();
  readonly #threshold: number;
  readonly #appearances: bigint;

  constructor(checked: CheckedJob, query: LocalQuery, strictness: Strictness) {
    this.#checked = checked;
    this.#query = query;
    this.#strictness = strictness;
    this.#inputs = slots(query, checked.parties);
    this.#appearances = appearances(checked.dataset, checked.parties.length);
    // A group of one is nobody's crowd: a minimum of 1 is no threshold, and an empty group is then shown as empty. Under
    // a dominance rule it is not, as nobody can be told to contribute little to nothing.
    const { minGroup, dominance } = strictness;
    this.#threshold = minGroup > 1 ? minGroup : dominance.length > 0 ? 1 : 0;
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

  finished(): Disclosure {
    const { total, job } = this.#checked;
    const measures = openedMeasures(this.#checked, this.#strictness).map(([name, prepared]) =>
      this.#measure(name, prepared),
    );
    const rows = this.#rowRule();
    const parts = [...this.#parts.values()];
    return {
      groups: this.#query.cells,
      total,
      inputs: this.#inputs,
      rings: this.#rings,
      bounds: this.#bounds,
      derived: this.#derived,
      forms: this.#forms,
      parts,
      partitions: this.#threshold === 0 || total ? [] : this.#partitions(measures, Object.keys(job.measures).length),
      rows,
      measures,
      threshold: this.#threshold,
    };
  }

  #measure(name: string, prepared: Prepared): DisclosedMeasure {
    const { total, dataset } = this.#checked;
    // Under a total, bins of one group and groups of one bin would tell of each other: a table opens whole or not.
    const parts =
      total && prepared.parts.length > 1
        ? [
            {
              tested: prepared.parts.flatMap(({ tested }) => tested),
              figures: prepared.parts.flatMap(({ figures }) => figures),
            },
          ]
        : prepared.parts;
    const placed = parts.map((part) => {
      const people = this.#threshold === 0 ? [] : part.tested.map((where) => this.#crowd(where));
      const dominance = contributedSums(prepared, part, dataset).flatMap((sum) => this.#dominance(name, sum));
      const slots = part.figures.flatMap((figure) => this.#figure(name, figure, prepared));
      return this.#place(people, dominance, slots);
    });
    const finish: Prepared['finish'] =
      parts === prepared.parts
        ? prepared.finish
        : ([opened]) => prepared.finish(prepared.parts.map((_, at) => (opened == null ? null : [opened[at]!])));
    return { name, finish, parts: placed };
  }

  /** A part of these conditions; those of several measures with the same ones are one. */
  #place(people: readonly CrowdForm[], dominance: readonly number[], slots: readonly Slot[]) {
    const forms = [...new Set(people.map(({ form }) => form))];
    const key = `${[...forms].sort((a, b) => a - b)} ${[...dominance].sort((a, b) => a - b)}`;
    const known = this.#parts.get(key);
    const crowds = forms.map((form) => people.find((each) => each.form === form)!.crowd);
    const part = known ?? { people: forms, dominance: [...new Set(dominance)], crowds, slots: [] };
    this.#parts.set(key, part);
    part.slots = [...new Set([...part.slots, ...slots])];
    return { part: [...this.#parts.keys()].indexOf(key), at: slots.map((slot) => part.slots.indexOf(slot)) };
  }

  #slotOf(statistic: Statistic): Slot {
    const slot = this.#places.get(keyOf(statistic));
    assert(slot !== undefined, 'the query holds every sum that is opened or tested');
    return slot;
  }

  #figure(name: string, figure: Figure, { statistics, unit }: Prepared): Slot[] {
    const slot = (at: number): Slot => this.#slotOf(statistics[at]!);
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
          1_000_000n,
        ]);
        return [first, first + 1];
      }
    }
  }

  #rounded(field: string, of: Slot, unit: bigint): Slot {
    const base = BigInt(this.#strictness.round) * unit;
    if (this.#strictness.round === 1) return of;
    if (!canRound(base, bitLength(this.#bounds[of]!))) throw tooLarge(field, this.#bounds[of]!);
    return this.#derive({ kind: 'rounded', of, base }, [this.#bounds[of]! + base]);
  }

  #quotient(field: string, figure: Extract<Figure, { kind: 'quotient' }>, statistics: readonly Statistic[]): Slot[] {
    const [over, under] = [statistics[figure.numerator]!, statistics[figure.denominator]!];
    const [column] = under.product;
    if (column !== undefined && boundsOf(this.#checked.dataset.columns[column]!).min < 0n) {
      throw new InputError('NOT_SUPPORTED', {
        field,
        detail: `\`${column}\` may be below 0, and is divided by on shares`,
        remedy: 'divide by a column that is never below 0, or leave `open: ratio` out where no rounding is in force',
      });
    }
    const [numerator, denominator] = [this.#slotOf(over), this.#slotOf(under)];
    const { factor } = figure;
    const [most, divisor] = [this.#bounds[numerator]!, this.#bounds[denominator]!];
    // A mean is no larger than the largest value; of a ratio nothing is known but its numerator.
    const quotientMax = (column === undefined ? largestIn(this.#checked.dataset, over) : most) * factor + 1n;
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

  #form(field: string, terms: Form['terms'], constant: bigint, totalConstant = constant): number {
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
  #crowd(where: Part['tested'][number]): CrowdForm {
    const { dataset } = this.#checked;
    const statistic = headcount(where, dataset, this.#query.ownParty);
    const slot = this.#slotOf(statistic);
    const needed = BigInt(this.#threshold) * this.#appearances;
    // Someone with several rows may be counted in as many groups or parts.
    const several = dataset.unit === 'row' ? 1n : BigInt(dataset.max_rows_per_unit);
    const form = this.#form('min_group', [[slot, 1n]], -needed, -needed * several);
    return { form, crowd: { slot, needed: needed * several } };
  }

  /** The n largest contributors, who may stand at several parties, hold at most their share. */
  #dominance(name: string, sum: Statistic): number[] {
    const { dataset } = this.#checked;
    const field = `measures.${name}`;
    return this.#strictness.dominance.flatMap(({ n, share }) => {
      const whole = this.#slotOf(magnitudeOf(sum, dataset));
      const first = largestOf(sum, n).map((statistic) => this.#slotOf(statistic));
      // The slots of one rank follow each other, party by party; here the ranks of one party do.
      const of = this.#checked.parties.flatMap((_, party) => first.map((slot) => slot + party));
      const count = n * Number(this.#appearances);
      const atMost = (largest: Slot) => [[whole, share.n] as const, [largest, -share.d] as const];
      if (count === 1) return of.map((slot) => this.#form(field, atMost(slot), 0n));
      const bound = of.reduce((total, slot) => total + this.#bounds[slot]!, 0n);
      this.#checkFits(field, bound);
      return [this.#form(field, atMost(this.#derive({ kind: 'largest', of, count, run: n }, [bound])), 0n)];
    });
  }

  #rowRule(): RowRule | null {
    const { having, top, dataset } = this.#checked;
    if (having.length === 0 && top === null) return null;
    const ranked = rankedMeasure(this.#checked).map((prepared): Slot => {
      const { figures } = prepared.parts[0]!;
      return this.#figure(top!.by, figures[0]!, prepared)[0]!;
    });
    const tested = [...having.map((condition) => testedMeasure(condition, dataset)), ...rankedMeasure(this.#checked)];
    // A group that is too small for the number it is judged by does not open, whatever the number is.
    const guards = tested.flatMap((prepared) => {
      const [part] = prepared.parts;
      const people = this.#threshold === 0 ? [] : part!.tested.map((where) => this.#crowd(where).form);
      const sums = contributedSums(prepared, part!, dataset);
      return [...people, ...sums.flatMap((sum) => this.#dominance('having', sum)), ...this.#isDefined(prepared)];
    });
    const forms = having.map((condition) => this.#having(condition));
    return {
      forms: [...new Set([...guards, ...forms])],
      top: top === null ? null : { slot: ranked[0]!, count: top.count },
    };
  }

  /** A quotient of nothing is no number, and no comparison with it holds. */
  #isDefined({ parts, statistics }: Prepared): number[] {
    const [figure] = parts[0]!.figures;
    if (figure?.kind !== 'quotient') return [];
    return [this.#form('having', [[this.#slotOf(statistics[figure.denominator]!), 1n]], -1n)];
  }

  /** A comparison with p/q, multiplied by all denominators. */
  #having(condition: Having): number {
    const { name, op, value } = condition;
    const field = `having.${name}`;
    const prepared = testedMeasure(condition, this.#checked.dataset);
    const [figure] = prepared.parts[0]!.figures;
    const isBelow = op === 'lt' || op === 'lte';
    const strict = op === 'gt' || op === 'lt' ? -1n : 0n;
    const sign = isBelow ? -1n : 1n;
    if (figure!.kind === 'sum') {
      const slot = this.#figure(name, figure!, prepared)[0]!;
      return this.#form(field, [[slot, sign * value.d]], -sign * value.n * prepared.unit! + strict);
    }
    assert(figure!.kind === 'quotient', 'a condition is on a sum or a quotient');
    const { numerator, denominator, exponent } = figure!;
    const power = 10n ** BigInt(Math.abs(exponent));
    const [up, down] = exponent < 0 ? [1n, power] : [power, 1n];
    const [over, under] = [numerator, denominator].map((at) => this.#slotOf(prepared.statistics[at]!));
    return this.#form(
      field,
      [
        [over!, sign * value.d * up],
        [under!, -sign * value.n * down],
      ],
      strict,
    );
  }

  /** The bins of a histogram that somebody may be in: what is empty by the job's own words hides nobody. */
  #bins(name: string, parts: DisclosedMeasure['parts']): Partition[] {
    const { job, dataset, where } = this.#checked;
    const measure = job.measures[name]!;
    assert(typeof measure === 'object' && 'histogram' in measure, 'only a histogram opens in parts');
    const tested = prepareMeasure(name, measure, dataset).parts.map((part) => part.tested);
    const filled = parts.filter((_, at) => !isEmptyByItself(measure.histogram.of, [where, ...tested[at]!], dataset));
    return filled.length < 2 ? [] : [{ parts: filled.map(({ part }) => part) }];
  }

  /** Parts of one whole: the bins of a histogram, and the counts of different values of one column. */
  #partitions(measures: readonly DisclosedMeasure[], count: number): Partition[] {
    const histograms = measures.filter(({ parts }) => parts.length > 1);
    // Nothing else that opens tells the whole of a histogram that stands alone.
    const partitions = count > 1 ? histograms.flatMap(({ name, parts }) => this.#bins(name, parts)) : [];
    const byColumn = new Map<string, { part: number; values: readonly bigint[] }[]>();
    for (const { name, parts } of measures) {
      const split = valuesOf(this.#checked, name);
      if (split === null) continue;
      byColumn.set(split.column, [
        ...(byColumn.get(split.column) ?? []),
        { part: parts[0]!.part, values: split.values },
      ]);
    }
    for (const counts of byColumn.values()) {
      const values = counts.flatMap((each) => each.values);
      const isDisjoint = new Set(values).size === values.length;
      if (counts.length > 1 && isDisjoint && count > counts.length)
        partitions.push({ parts: counts.map(({ part }) => part) });
    }
    return partitions;
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

function bitLength(value: bigint): number {
  return value.toString(2).length;
}

interface CrowdForm {
  readonly form: number;
  readonly crowd: Crowd;
}

/** Of a count under a condition on the values of one column: which. */
function valuesOf({ job, dataset }: CheckedJob, name: string): { column: string; values: readonly bigint[] } | null {
  const condition = compileWhere(whereOf(job.measures[name]!), dataset);
  if (condition.kind === 'compare' && condition.op === 'eq' && condition.transform === undefined)
    return { column: condition.column, values: [condition.value] };
  return condition.kind === 'in' ? condition : null;
}

function textOf(derived: Derived): string {
  return JSON.stringify(derived, (_, part) => (typeof part === 'bigint' ? `${part}n` : part));
}

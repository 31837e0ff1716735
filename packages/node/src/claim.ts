/**
 * What a protected job asks of this party's ledger, from public texts and the party's own budget alone.
 *
 * At the acceptance this party knows its own period and unit. At the start it knows everyone's: the mechanism may follow
 * from them, and the key of the question is whole. The key holds all that the noise depends on, down to what each release
 * adds up and by which version it is drawn: a question that is free because of its key has the very noise that was paid.
 * @module
 */
import { type Reading, type SignedAcceptance, standingOf } from '@folkmoot/core/acceptance.js';
import { toHex } from '@folkmoot/core/bytes.js';
import { charterHash } from '@folkmoot/core/charter.js';
import type { CheckedJob } from '@folkmoot/core/check-job.js';
import { datasetOf } from '@folkmoot/core/checked-join.js';
import { InputError, PolicyError } from '@folkmoot/core/errors.js';
import { hashJson } from '@folkmoot/core/hash.js';
import { compile } from '@folkmoot/core/local.js';
import { samplerVersion } from '@folkmoot/core/noise-key.js';
import { type Protection, protect } from '@folkmoot/core/protection.js';
import { questionHash, questionKey } from '@folkmoot/core/question.js';
import { capsOf, unitOf } from './budget.ts';
import type { Amount, BudgetUnit, Claim } from './ledger.ts';
import type { Binding } from './sources/source-binding.ts';

export interface Claiming {
  readonly party: string;
  readonly analyst: string;
  readonly checked: CheckedJob;
  readonly binding: Pick<Binding, 'budget'>;
  /** The period that this party's dataset is in. */
  readonly period: string;
}

/**
 * The claim of a job as this party can know it when it accepts.
 * @throws PolicyError NO_BUDGET, BUDGET_UNIT; InputError as `protect` does
 */
export function claimAtAcceptance(by: Claiming): Claim {
  const unit = budgetOf(by).unit;
  return claim(by, [unit], null);
}

/**
 * The claim with all acceptances in hand.
 * @throws ProtocolError BAD_ACCEPTANCE where one of them lacks period or unit; as `claimAtAcceptance` does
 */
export function claimAtStart(by: Claiming, acceptances: readonly SignedAcceptance[]): Claim {
  const { readings, units } = standingOf(acceptances, true, by.checked.helper)!;
  return claim(by, [...units.values()], { readings, units: Object.fromEntries(units) });
}

interface Others {
  readonly readings: Readonly<Record<string, Reading>>;
  readonly units: Readonly<Record<string, BudgetUnit>>;
}

function claim(by: Claiming, units: readonly BudgetUnit[], others: Others | null): Claim {
  const { party, analyst, checked, period } = by;
  const { unit, caps } = budgetOf(by);
  const protection = protect(checked, compile(checked), checked.parties.length, units);
  return {
    party,
    analyst,
    dataset: datasetOf(checked, party).name,
    period,
    question: toHex(hashJson({ question: questionHash(checked), charter: charterHash(checked.charter) })),
    key: others === null ? null : keyOf(by, protection, others),
    unit,
    cost: costOf(by, protection, unit),
    caps,
  };
}

function budgetOf({ party, checked, binding }: Claiming) {
  const { budget } = binding;
  if (budget === undefined)
    throw new PolicyError('NO_BUDGET', { party, field: `datasets.${datasetOf(checked, party).name}` });
  return { unit: unitOf(budget), caps: capsOf(budget) };
}

function costOf({ party, checked }: Claiming, { charge, mechanism }: Protection, unit: BudgetUnit): Amount {
  const micro = unit === 'epsilon' ? charge.epsilonMicro : charge.rhoMicro;
  if (micro === null) {
    throw new PolicyError('BUDGET_UNIT', {
      party,
      field: `datasets.${datasetOf(checked, party).name}.budget`,
      detail: `it counts ${unit}, and ${mechanism} noise in rho has no epsilon without a delta`,
      remedy: 'give a delta as well, or ask in epsilon',
    });
  }
  const cost = { micro, pico: unit === 'epsilon' ? charge.deltaPico : 0n };
  // `privacy` is bounded where it is read; this only keeps the ledger's own integers within theirs.
  if (micro >= 1n << 60n) throw new InputError('BAD_VALUE', { field: 'privacy', detail: 'it is more than any budget' });
  return cost;
}

function keyOf(
  { analyst, checked }: Claiming,
  { mechanism, honest, releases }: Protection,
  { readings, units }: Others,
) {
  const noise = releases.map(({ label, parts, lattice, noise: drawn }) => ({ label, parts, lattice, drawn }));
  return toHex(
    hashJson({
      label: 'folkmoot charge v1',
      question: questionKey({ analyst, checked, readings }),
      units,
      sampler: samplerVersion,
      mechanism,
      honest,
      releases: plain(noise),
    }),
  );
}

/** The same with integers of any size as text. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? one.toString() : one)));
}

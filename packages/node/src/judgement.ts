/**
 * A party's own judgement of a job: from the signed job to this party's signed acceptance, or a refusal.
 *
 * Everything that can refuse without the records comes first, and is a function of public texts and the party's policy.
 * The records are looked at last, for the fingerprint alone, and in a join for the size class of the whole dataset: a
 * refusal says nothing about what they hold.
 *
 * A party that a job names as its helper brings no records and learns nothing of others': it accepts without a rule. That
 * it may help is for the rules of those to say whose records the job is about.
 * @module
 */
import { createHmac } from 'node:crypto';
import { type SignedAcceptance, signAcceptance, signedAcceptanceSchema } from '@folkmoot/core/acceptance.js';
import { agree } from '@folkmoot/core/agree.js';
import { type CheckedJob, checkJob, rosterOf } from '@folkmoot/core/check-job.js';
import { datasetOf, sideOf } from '@folkmoot/core/checked-join.js';
import type { Dataset } from '@folkmoot/core/dictionary.js';
import { disclose } from '@folkmoot/core/disclose.js';
import { conform } from '@folkmoot/core/document.js';
import { layout } from '@folkmoot/core/encode.js';
import { checkSignedJob, jobId, type SignedJob } from '@folkmoot/core/envelope.js';
import { InputError, PolicyError, ProtocolError, StateError } from '@folkmoot/core/errors.js';
import { checkDemand } from '@folkmoot/core/evaluate-cost.js';
import type { Sign } from '@folkmoot/core/identity.js';
import { joinOf } from '@folkmoot/core/join-agreement.js';
import type { SideQuery } from '@folkmoot/core/join-query.js';
import { compile } from '@folkmoot/core/local.js';
import { lookUp } from '@folkmoot/core/name.js';
import { helperRule, judge, policyHash, usesOf, type Verdict } from '@folkmoot/core/policy.js';
import { setClassFor, setClassMin } from '@folkmoot/core/set-class.js';
import { checkRoom } from '@folkmoot/core/side-set.js';
import { strictnessOf } from '@folkmoot/core/strictness.js';
import { type Claiming, claimAtAcceptance, claimAtStart } from './claim.ts';
import type { Membership, NodeConfig } from './config.ts';
import type { Claim } from './ledger.ts';
import { type Snapshots, snapshotSource } from './snapshot.ts';
import type { Source } from './sources/source.ts';
import { type Binding, openSource } from './sources/source-binding.ts';

export interface Judge {
  readonly config: NodeConfig;
  readonly membership: Pick<Membership, 'charter' | 'charterHash'>;
  /** The version of the program, as the acceptance states it. */
  readonly build: string;
  readonly sign: Sign;
  readonly nowMs: number;
  /** The period that each of the party's datasets is in. */
  readonly periods: ReadonlyMap<string, string>;
  /** The keyed hash of a dataset's records, as hex: of those that stand there now, or of the snapshot of a period. */
  fingerprint(dataset: Dataset, binding: Binding, period: string | null): Promise<string>;
  /** How many rows a dataset has, whatever they hold, to be matched on this key: now, or in the snapshot of a period. */
  rows(dataset: Dataset, binding: Binding, period: string | null, key: string): Promise<number>;
  /** The keyed hash that a helper states, which brings no records. */
  readonly noRecords: string;
  /** Refuses what the ledger would refuse, before the records are looked at. */
  afford(claim: Claim): void;
}

export interface Decision {
  readonly acceptance: SignedAcceptance;
  /** What a protected job costs this party. */
  readonly claim?: Claim;
  /** How many people must have approved it; absent where nobody is asked. */
  readonly approvers?: number;
}

type Allowed = Extract<Verdict, { readonly verdict: 'allow' }>;

/** What a party looks at its own records for: fingerprints, under a key that only it has, and numbers of rows. */
export function lookingAt(
  { folder }: Pick<NodeConfig, 'folder'>,
  env: Readonly<Record<string, string | undefined>>,
  key: Uint8Array,
  snapshots: Pick<Snapshots, 'of'>,
): Pick<Judge, 'fingerprint' | 'rows'> {
  const look = async <T>(
    [dataset, binding, period]: Parameters<Judge['fingerprint']>,
    at: (source: Source) => Promise<T>,
  ): Promise<T> => {
    const open = () => openSource(binding, { folder, env, dataset });
    const source = period === null ? open() : snapshotSource(await snapshots.of(dataset, period, open), dataset.name);
    try {
      return await at(source);
    } finally {
      await source.close();
    }
  };
  return {
    fingerprint: (...of) => look(of, (source) => source.fingerprint(key)),
    rows: (dataset, binding, period, key) => look([dataset, binding, period], (source) => source.rows(key)),
  };
}

/** The fingerprint of a party that reads nothing, under the key that fingerprints of records are made with. */
export function fingerprintOfNothing(key: Uint8Array): string {
  return createHmac('sha256', key).update('folkmoot no records v1').digest('hex');
}

/**
 * @throws PolicyError, CharterError, InputError, SourceError: the reason for a denial
 */
export async function decide(signed: SignedJob, by: Judge): Promise<Decision> {
  const { config, membership, nowMs } = by;
  const { party } = config;
  const { charter } = membership;
  const { envelope } = signed;
  checkSignedJob(signed, charter, nowMs);
  const checked = checkJob(envelope.job, charter);
  const { parties, contributors } = checked;
  const dataset = datasetOf(checked, party);
  if (!rosterOf(checked).includes(party)) {
    throw new InputError('UNKNOWN_PARTY', { party, detail: 'it takes no part in the job' });
  }
  if (checked.helper === party) return help(checked, signed, by);
  const { binding, verdict } = permit(checked, envelope.analyst, by);
  // What could overflow or would make too large a vector is refused before anyone waits for it; only who may ask has us
  // build it.
  const { minGroup, round, dominance } = verdict;
  const strictness = strictnessOf(checked, [{ min_group: minGroup, round, dominance }]);
  const query = compile(checked, lookUp(charter.analysts, envelope.analyst)?.party ?? null, strictness);
  const inputs = layout(query, checked.dataset, contributors);
  const join = joinOf(checked, query, { inputs, protection: null }, { left: setClassMin, right: setClassMin });
  if (checked.privacy === null) checkDemand(parties.length, disclose({ checked, query, strictness }));

  const claim = checked.privacy === null ? undefined : claimAtAcceptance(claiming(envelope.analyst, checked, by));
  if (claim !== undefined) by.afford(claim);
  const period = claim?.period ?? null;
  const side = join?.query[sideOf(checked.join!, party)!];
  const acceptance = signAcceptance(
    {
      job: jobId(envelope),
      party,
      charter: membership.charterHash,
      policy: policyHash(config.policy),
      fingerprint: await by.fingerprint(dataset, binding, period),
      build: by.build,
      expires: envelope.expires,
      min_group: minGroup,
      ...(round === undefined ? {} : { round }),
      ...(dominance === undefined ? {} : { dominance }),
      rule: verdict.rule,
      period,
      budget: claim?.unit ?? null,
      ...(side === undefined ? {} : { set_class: classFor(side, await by.rows(dataset, binding, period, side.key)) }),
    },
    by.sign,
  );
  const approvers = askedBy(verdict, config);
  return { acceptance, ...(claim === undefined ? {} : { claim }), ...(approvers === 0 ? {} : { approvers }) };
}

/** The size class of so many rows, where this party can hold what its side brings. */
function classFor(side: SideQuery, rows: number): number {
  const setClass = setClassFor(rows);
  checkRoom(side, setClass);
  return setClass;
}

/** The word of a helper: by no rule, about no records, and asking for nothing that the charter does not ask for anyway. */
function help(
  checked: CheckedJob,
  { envelope }: SignedJob,
  { config, membership, build, noRecords, sign, nowMs }: Judge,
): Decision {
  const verdict = judge(checked, usesOf(checked, config.party), config.party, config.policy, envelope.analyst, nowMs);
  if (verdict.verdict === 'refuse') throw verdict.error;
  const acceptance = {
    job: jobId(envelope),
    party: config.party,
    charter: membership.charterHash,
    policy: policyHash(config.policy),
    fingerprint: noRecords,
    build,
    expires: envelope.expires,
    min_group: Math.max(envelope.job.min_group ?? 1, membership.charter.policy_floor.min_group),
    rule: helperRule,
    period: null,
    budget: null,
  };
  return { acceptance: signAcceptance(acceptance, sign) };
}

/**
 * What this party's own files say of a job as they stand now: it holds the dataset, and a rule covers the job.
 * @throws InputError NOT_HELD, NOT_SUPPORTED; PolicyError REFUSED, TOO_FEW_PARTIES
 */
function permit(
  checked: CheckedJob,
  analyst: string,
  { config, nowMs }: Pick<Judge, 'config' | 'nowMs'>,
): { readonly binding: Binding; readonly verdict: Allowed } {
  const { party } = config;
  const { name } = datasetOf(checked, party);
  const binding = lookUp(config.datasets, name);
  if (binding === undefined) throw new InputError('NOT_HELD', { party, field: `datasets.${name}` });
  const verdict = judge(checked, usesOf(checked, party), party, config.policy, analyst, nowMs);
  if (verdict.verdict === 'refuse') throw verdict.error;
  if (verdict.approval === 'manual' && !config.approve && config.unattended) {
    throw new InputError('NOT_SUPPORTED', {
      party,
      field: 'approval',
      detail: `the rule “${verdict.rule}” asks for a person’s approval, and nobody is there to give it`,
      remedy: 'give `folkmoot run` --approve',
    });
  }
  return { binding, verdict };
}

/** How many people a node asks before it accepts by this rule. */
function askedBy({ approvers = 0 }: Allowed, { approve }: Pick<NodeConfig, 'approve'>): number {
  return approve ? 0 : approvers;
}

/**
 * An acceptance may be old when the job starts: it counts only while the policy that it was given under stands, and the
 * same rule still covers the job with the same threshold. A helper's word hangs on no policy. Gives how many people must
 * have approved it.
 * @throws PolicyError POLICY_CHANGED, and whatever would be the reason for a denial now
 */
export function checkStillAllowed(
  signed: SignedJob,
  { acceptance }: SignedAcceptance,
  by: Pick<Judge, 'config' | 'membership' | 'nowMs'>,
): number {
  const { config, membership } = by;
  const { party } = config;
  const { job, analyst } = signed.envelope;
  const checked = checkJob(job, membership.charter);
  if (checked.helper === party) return 0;
  if (policyHash(config.policy) !== acceptance.policy) throw new PolicyError('POLICY_CHANGED', { party });
  const { verdict } = permit(checked, analyst, by);
  if (verdict.rule === acceptance.rule && verdict.minGroup === acceptance.min_group) return askedBy(verdict, config);
  const detail = `it was accepted by the rule “${acceptance.rule}”, which no longer allows it`;
  throw new PolicyError('POLICY_CHANGED', { party, detail });
}

/** Who claims what, for a job on a dataset of this party. */
function claiming(
  analyst: string,
  checked: CheckedJob,
  { config, periods }: Pick<Judge, 'config' | 'periods'>,
): Claiming {
  const { name } = datasetOf(checked, config.party);
  return { party: config.party, analyst, checked, binding: config.datasets[name]!, period: periods.get(name)! };
}

/**
 * The claim of a protected job with everyone's word in hand; undefined for an exact job.
 * @throws PolicyError NO_BUDGET, BUDGET_UNIT; ProtocolError BAD_ACCEPTANCE
 */
export function claimOnStart(
  signed: SignedJob,
  own: SignedAcceptance,
  acceptances: readonly SignedAcceptance[],
  by: Pick<Judge, 'config' | 'membership' | 'periods'>,
): Claim | undefined {
  const { job, analyst } = signed.envelope;
  const checked = checkJob(job, by.membership.charter);
  if (checked.privacy === null) return undefined;
  const { period } = own.acceptance;
  const claimed = claiming(analyst, checked, by);
  // A node that was started again in a new period answers from that one, and not from one that it accepted before.
  if (period !== claimed.period) throw new StateError('PERIOD_ENDED', { party: claimed.party, detail: claimed.period });
  return claimAtStart(claimed, acceptances);
}

/**
 * All parties' acceptances, as the coordinator brought them, checked before a share leaves: each good, and this party's
 * the one that it gave.
 * @throws ProtocolError BAD_ACCEPTANCE, naming the party; InputError for their form; what `agree` throws
 */
export function checkAccepted(
  given: readonly unknown[],
  signed: SignedJob,
  own: SignedAcceptance,
  by: Pick<Judge, 'membership' | 'nowMs'>,
): readonly SignedAcceptance[] {
  const acceptances = given.map((one) => conform(one, signedAcceptanceSchema, { name: 'acceptance' }));
  agree({ signed, charter: by.membership.charter, acceptances, nowMs: by.nowMs });
  const { party } = own.acceptance;
  const ours = acceptances.find(({ acceptance }) => acceptance.party === party);
  if (ours?.signature !== own.signature) {
    throw new ProtocolError('BAD_ACCEPTANCE', { party, detail: 'it is not the one that this party gave' });
  }
  return acceptances;
}

/**
 * A party's own judgement of a job: from the signed job to this party's signed acceptance, or a refusal.
 *
 * Everything that can refuse without the records comes first, and is a function of public texts and the party's policy.
 * The records are looked at last, for the fingerprint alone: a refusal says nothing about what they hold.
 * @module
 */
import { type SignedAcceptance, signAcceptance, signedAcceptanceSchema } from '@folkmoot/core/acceptance.js';
import { agree } from '@folkmoot/core/agree.js';
import { checkJob } from '@folkmoot/core/check-job.js';
import type { Dataset } from '@folkmoot/core/dictionary.js';
import { conform } from '@folkmoot/core/document.js';
import { layout } from '@folkmoot/core/encode.js';
import { checkSignedJob, jobId, type SignedJob } from '@folkmoot/core/envelope.js';
import { InputError, ProtocolError } from '@folkmoot/core/errors.js';
import type { Sign } from '@folkmoot/core/identity.js';
import { compile } from '@folkmoot/core/local.js';
import { lookUp } from '@folkmoot/core/name.js';
import { judge, policyHash, usesOf } from '@folkmoot/core/policy.js';
import type { Membership, NodeConfig } from './config.ts';
import { type Binding, openSource } from './sources/source-binding.ts';

export interface Judge {
  readonly config: NodeConfig;
  readonly membership: Pick<Membership, 'charter' | 'charterHash'>;
  /** The version of the program, as the acceptance states it. */
  readonly build: string;
  readonly sign: Sign;
  readonly nowMs: number;
  /** The keyed hash of a dataset's records, as hex. */
  fingerprint(dataset: Dataset, binding: Binding): Promise<string>;
}

/** A party's own fingerprints, under a key that only it has. */
export function fingerprinter(
  { folder }: Pick<NodeConfig, 'folder'>,
  env: Readonly<Record<string, string | undefined>>,
  key: Uint8Array,
): Judge['fingerprint'] {
  return async (dataset, binding) => {
    const source = openSource(binding, { folder, env, dataset });
    try {
      return await source.fingerprint(key);
    } finally {
      await source.close();
    }
  };
}

/**
 * @throws PolicyError, CharterError, InputError, SourceError: the reason for a denial
 */
export async function decide(signed: SignedJob, by: Judge): Promise<SignedAcceptance> {
  const { config, membership, nowMs } = by;
  const { party } = config;
  const { charter } = membership;
  const { envelope } = signed;
  checkSignedJob(signed, charter, nowMs);
  const checked = checkJob(envelope.job, charter);
  const { dataset, parties } = checked;
  if (!parties.includes(party)) throw new InputError('UNKNOWN_PARTY', { party, detail: 'it takes no part in the job' });
  const binding = lookUp(config.datasets, dataset.name);
  if (binding === undefined) throw new InputError('NOT_HELD', { party, field: `datasets.${dataset.name}` });
  // What could overflow or would make too large a vector is refused before anyone waits for it.
  const query = compile(checked, lookUp(charter.analysts, envelope.analyst)?.party ?? null);
  layout(query, dataset, parties.length);

  const verdict = judge(checked, usesOf(checked), party, config.policy, envelope.analyst, nowMs);
  if (verdict.verdict === 'refuse') throw verdict.error;
  if (verdict.approval === 'manual' && !config.approve) {
    throw new InputError('NOT_SUPPORTED', {
      party,
      field: 'approval',
      detail: `the rule “${verdict.rule}” asks for a person’s approval`,
      remedy: 'have the data owner set the rule to `approval: automatic`; `folkmoot run` has --approve',
    });
  }
  return signAcceptance(
    {
      job: jobId(envelope),
      party,
      charter: membership.charterHash,
      policy: policyHash(config.policy),
      fingerprint: await by.fingerprint(dataset, binding),
      build: by.build,
      expires: envelope.expires,
      min_group: verdict.minGroup,
      rule: verdict.rule,
      period: null,
      budget: null,
    },
    by.sign,
  );
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

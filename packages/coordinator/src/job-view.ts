/**
 * What an analyst sees of a job.
 * @module
 */
import type { PartyId } from '@folkmoot/core/channel.js';
import type { ErrorReport } from '@folkmoot/core/errors.js';
import type { Phase } from './lifecycle.ts';
import type { StoredJob, Verdict } from './store.ts';

export interface JobView {
  readonly job: string;
  readonly title: string;
  readonly state: Phase;
  readonly attempt: number;
  readonly submitted: string;
  readonly updated: string;
  readonly expires: string;
  readonly parties: readonly {
    readonly party: PartyId;
    /** It brings no records, and deals the correlated randomness. */
    readonly helper?: true;
    readonly connected: boolean;
    readonly verdict?: Verdict['verdict'];
    readonly report?: ErrorReport;
  }[];
  readonly error?: ErrorReport;
  /** Why each of the attempts before this one failed. */
  readonly setbacks?: readonly ErrorReport[];
  /** The earlier job of the same question, whose answer is this one's too. */
  readonly same_as?: string;
}

export function viewOf(
  { id, title, submittedMs, updatedMs, state }: StoredJob,
  verdicts: readonly Verdict[],
  isConnected: (party: PartyId) => boolean,
): JobView {
  const instant = (ms: number) => new Date(ms).toISOString();
  const byParty = new Map(verdicts.map((verdict) => [verdict.party, verdict]));
  return {
    job: id,
    title,
    state: state.phase,
    attempt: state.attempt,
    submitted: instant(submittedMs),
    updated: instant(updatedMs),
    expires: instant(state.expiresMs),
    parties: state.roster.map((party) => ({
      party,
      ...(party === state.helper ? { helper: true as const } : {}),
      connected: isConnected(party),
      ...byParty.get(party),
    })),
    ...(state.error === undefined ? {} : { error: state.error }),
    ...(state.setbacks.length === 0 ? {} : { setbacks: state.setbacks }),
    ...(state.sameAs === undefined ? {} : { same_as: state.sameAs }),
  };
}

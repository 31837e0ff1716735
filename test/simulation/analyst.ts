/**
 * The analyst: submits, again where nobody answered, follows, and checks what comes as only an analyst can: all
 * commitments and signatures first, then the sum of the shares.
 * @module
 */
import { acceptancesHash } from '@folkmoot/core/acceptance.js';
import { open } from '@folkmoot/core/additive.js';
import { fromHex } from '@folkmoot/core/bytes.js';
import type { Charter } from '@folkmoot/core/charter.js';
import { jobId } from '@folkmoot/core/envelope.js';
import { isFolkmootError } from '@folkmoot/core/errors.js';
import { type Opening, verifyOpenings } from '@folkmoot/core/open.js';
import { openingVerifier } from '@folkmoot/core/opening-signature.js';
import type { Coordinator } from '../../packages/coordinator/src/coordinator.ts';
import { hasEnded } from '../../packages/coordinator/src/lifecycle.ts';
import { openShare } from './light-records.ts';
import { type AskedJob, parties } from './moot.ts';
import type { Witness } from './witness.ts';
import type { World } from './world.ts';

const pollMs = 5_000;
const looksMax = 2;

export interface AnalystOptions {
  readonly world: World;
  readonly witness: Witness;
  readonly charter: Charter;
  /** A coordinator that answers now. */
  coordinator(): Coordinator | undefined;
}

interface Asked {
  readonly job: AskedJob;
  isSubmitted: boolean;
  /** Its code or its last state. */
  end: string | undefined;
  looks: number;
}

export class Analyst {
  readonly #options: AnalystOptions;
  readonly #asked: Asked[] = [];

  constructor(options: AnalystOptions) {
    this.#options = options;
  }

  ask(job: AskedJob, afterMs: number): void {
    const { world } = this.#options;
    const asked: Asked = { job, isSubmitted: false, end: undefined, looks: 0 };
    this.#asked.push(asked);
    const look = () => {
      this.#look(asked)
        .catch(() => undefined)
        .finally(() => {
          // An answer is fetched a few times more: it stays what it is, whatever becomes of the coordinator.
          if (asked.end === undefined || asked.looks++ < looksMax) world.after(pollMs, look);
        });
    };
    world.after(afterMs, look);
    if (world.hits('cancel')) world.after(afterMs + world.chance.between(0, 20_000), () => this.#cancel(job));
  }

  get isDone(): boolean {
    return this.#asked.every(({ end }) => end !== undefined);
  }

  /** How each job ended. */
  get ends(): ReadonlyMap<string, string | undefined> {
    return new Map(this.#asked.map(({ job, end }) => [job.id, end]));
  }

  #cancel({ id }: AskedJob): void {
    this.#options.world.note('cancel', `the analyst cancels ${id.slice(0, 6)}`);
    this.#options
      .coordinator()
      ?.cancel('ana', id)
      .catch(() => undefined);
  }

  async #look(asked: Asked): Promise<void> {
    const { world } = this.#options;
    const coordinator = this.#options.coordinator();
    if (coordinator === undefined) return;
    const { job } = asked;
    if (!asked.isSubmitted) {
      try {
        await coordinator.submit('ana', job.signed, job.id);
        asked.isSubmitted = true;
      } catch (error) {
        // Too late, by a clock that is an hour off: it will not get better.
        if (isFolkmootError(error) && error.code === 'JOB_EXPIRED' && world.isCalm) asked.end = 'JOB_EXPIRED';
        return;
      }
    }
    const { state, error } = await coordinator.view('ana', job.id);
    if (!hasEnded({ phase: state })) return;
    if (state === 'DONE') await this.#answer(coordinator, job);
    if (asked.end === undefined)
      world.note(`ended ${state}`, `${job.id.slice(0, 6)} has ended: ${state} ${error?.code ?? ''}`);
    asked.end = error?.code ?? state;
  }

  async #answer(coordinator: Coordinator, { id }: AskedJob): Promise<void> {
    const { witness, world, charter } = this.#options;
    const parts = await coordinator.answer('ana', id);
    const openings: Opening[] = [];
    for await (const opening of parts.openings) openings.push(opening);
    const context = { job: fromHex(jobId(parts.signed.envelope)), attempt: parts.attempt, roster: parties };
    try {
      verifyOpenings(context, acceptancesHash(parts.acceptances), openings, openingVerifier(charter));
      const sum = open(openings.map(({ sealed }) => openShare(sealed)));
      witness.answered(id, parts.job, [...sum.words]);
    } catch (error) {
      const code = isFolkmootError(error) ? error.code : 'no answer';
      // A bit that flips on the way of an opening is caught here at the latest.
      if (world.has('corrupt')) world.note(`refused ${code}`, `the answer to ${id.slice(0, 6)} is refused: ${code}`);
      else world.broken(`the answer to ${id} does not verify: ${code}`);
    }
  }
}

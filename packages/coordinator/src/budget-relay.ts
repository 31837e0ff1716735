/**
 * Passes an analyst's request for budgets to all parties that are connected, and their statements back.
 *
 * Nothing is kept and nothing is judged: request and statements are signed, and the analyst checks them.
 * @module
 */
import { requestHash, type SignedBudgetRequest } from '@folkmoot/core/budget-statement.js';
import type { PartyId } from '@folkmoot/core/channel.js';
import { StateError } from '@folkmoot/core/errors.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import type { PartyLink } from './coordinator.ts';
import { limits } from './limits.ts';

export interface Stated {
  readonly statements: readonly object[];
  /** Parties that are not connected, or did not answer in time. */
  readonly missing: readonly PartyId[];
}

interface Waiting {
  readonly statements: Map<PartyId, object>;
  readonly asked: readonly PartyId[];
  readonly complete: () => void;
}

export class BudgetRelay {
  readonly #clock: Clock;
  /** By the hash of the request. */
  readonly #waiting = new Map<string, Waiting>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws StateError BUSY, also where the very same request is under way */
  async ask(signed: SignedBudgetRequest, links: readonly PartyLink[], parties: readonly PartyId[]): Promise<Stated> {
    const id = requestHash(signed.request);
    if (this.#waiting.size >= limits.budgetRequestsMax || this.#waiting.has(id)) {
      throw new StateError('BUSY', { detail: 'too many requests for budgets are under way' });
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const statements = new Map<PartyId, object>();
    this.#waiting.set(id, { statements, asked: links.map(({ party }) => party), complete: resolve });
    const stop = this.#clock.after(limits.budgetMs, resolve);
    for (const link of links) link.send({ type: 'budget', request: signed });
    if (links.length === 0) resolve();
    await promise;
    stop();
    this.#waiting.delete(id);
    const inOrder = parties.filter((party) => statements.has(party));
    return {
      statements: inOrder.map((party) => statements.get(party)!),
      missing: parties.filter((party) => !statements.has(party)),
    };
  }

  stated(party: PartyId, request: string, statement: object): void {
    const waiting = this.#waiting.get(request);
    if (waiting === undefined || !waiting.asked.includes(party)) return;
    waiting.statements.set(party, statement);
    if (waiting.asked.every((one) => waiting.statements.has(one))) waiting.complete();
  }
}

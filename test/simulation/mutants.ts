/**
 * Faults of our own, as they might be written: each is one part of the node replaced. The simulator must notice every one.
 * @module
 */
import type { CoordinatorMessage } from '@folkmoot/transport/control.js';
import type Database from 'better-sqlite3';
import type { step } from '../../packages/node/src/lifecycle.ts';
import type { Store } from '../../packages/node/src/store.ts';

type Lifecycle = typeof step;

export interface Mutant {
  /** A message of the coordinator that comes to nothing. */
  readonly unheard?: CoordinatorMessage['type'];
  /** The seed to begin with, where it takes many to notice. */
  readonly from?: number;
  /** What the noise is a function of. */
  noise?(question: string, attempt: number): string;
  step?(real: Lifecycle): Lifecycle;
  store?(real: Store, db: Database.Database): Store;
}

/** The store with another way to save. */
function saving(real: Store, save: Store['save']): Store {
  return new Proxy(real, {
    get(target, name) {
      if (name === 'save') return save;
      return Reflect.get(target, name, target);
    },
  });
}

export const mutants: Readonly<Record<string, Mutant>> = {
  /** The opening leaves, and only then it is charged and written down. */
  'charge after opening': {
    step: (real) => (state, event, epoch) => {
      const next = real(state, event, epoch);
      if (event.event !== 'opened' || next.effects[0]?.effect !== 'save') return next;
      const [save, ...others] = next.effects;
      return { ...next, effects: [...others, save] };
    },
  },
  /** Whoever gives up after the opening, or never delivers it, has the budget back. */
  'refund after abort': {
    step: (real) => (state, event, epoch) => {
      if (state?.status !== 'OPENING' || (event.event !== 'aborted' && event.event !== 'cancelled'))
        return real(state, event, epoch);
      const { job, signed, expiresMs, attempt, claim } = state;
      const common = { job, signed, expiresMs, attempt, ...(claim === undefined ? {} : { claim }) };
      const ended = { ...common, status: 'CANCELLED' } as const;
      return { state: ended, effects: [{ effect: 'save', state: ended }] };
    },
    store: (real, db) =>
      saving(real, (state, detail) => {
        real.save(state, detail);
        if (!['ABORTED', 'CANCELLED', 'EXPIRED'].includes(state.status)) return;
        db.exec('DROP TRIGGER IF EXISTS ledger_is_not_cut');
        db.prepare(`DELETE FROM ledger WHERE job = ? AND kind = 'charge'`).run(state.job);
      }),
  },
  /** An opening is sent once, and not again over the next link. */
  'forgotten opening': {
    step: (real) => (state, event, epoch) => {
      const asked = event.event === 'linked' || event.event === 'invited' || event.event === 'again';
      return state?.status === 'OPENING' && asked ? { state, effects: [] } : real(state, event, epoch);
    },
  },
  /** A party that is behind is not handed what the others have opened with. */
  'forgotten peer': { unheard: 'signed', from: 20_250 },
  'fresh noise on retry': { noise: (question, attempt) => `${question} ${attempt}` },
  /** The commitment leaves while the sealed bytes are in memory only. */
  'commitment before its bytes': {
    step: (real) => (state, event, epoch) => {
      const next = real(state, event, epoch);
      if (event.event !== 'sealed' || next.effects[0]?.effect !== 'save') return next;
      const [save, ...others] = next.effects;
      return { ...next, effects: [...others, save] };
    },
  },
  /** An attempt begins before its number is on the disk. */
  'attempt before its number': {
    step: (real) => (state, event, epoch) => {
      const next = real(state, event, epoch);
      if (event.event !== 'started' || next.effects[0]?.effect !== 'save') return next;
      const [save, ...others] = next.effects;
      return { ...next, effects: [...others, save] };
    },
  },
  /** Whoever speaks of a job is believed, whatever its epoch. */
  'skipped epoch check': {
    step: (real) => (state, event, epoch) =>
      real(state, event, epoch === undefined ? undefined : Math.max(epoch, state?.epoch ?? 0)),
  },
};

/** Chance that a seed decides: `CHAOS_SEED`, or one of the clock. Every failure names it. */
import { seededRng } from '@folkmoot/core/prg.js';

export const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
/** How much more than by default is done. */
export const rounds = Number(process.env.CHAOS_ROUNDS ?? 1);

export interface Chance {
  /** A whole number from 0, below `end`. */
  below(end: number): number;
  oneOf<T>(list: readonly T[]): T;
  shuffled<T>(list: readonly T[]): T[];
}

export function chanceOf(of: number): Chance {
  const rng = seededRng(of);
  const below = (end: number) => Math.floor((Buffer.from(rng(6)).readUIntLE(0, 6) / 2 ** 48) * end);
  return {
    below,
    oneOf: (list) => list[below(list.length)]!,
    shuffled(list) {
      const left = [...list];
      return list.map(() => left.splice(below(left.length), 1)[0]!);
    },
  };
}

/**
 * All-but-one of 2^k random seeds from k OTs, by the tree of Goldreich, Goldwasser and Micali (J. ACM 1986), as in
 * Boyle et al. (CCS 2019) and Roy (CRYPTO 2022).
 *
 * The tree's first level are the two keys of an OT. A node's children are the halves of its SHA-256. Of each further
 * level the owner sends the xor of all left children and that of all right ones, each under a key of the level's OT; who
 * holds the other side of the path at every level computes all leaves but the path's own.
 *
 * Sends     32 bytes for each level but the first, owner to holder
 * Security  The leaf at the path stays pseudorandom to the holder. An active owner can send sums that make a holder's
 *           leaves wrong for some paths, and so learn of the path whether the protocol above then fails.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';

const seedBytes = 16;

/** The keys of the levels' OTs, from the root down: [left, right] at the owner, one of the two at the holder. */
type Pair = readonly [Uint8Array, Uint8Array];

/** All leaves, in their order, and the correction for the holder. */
export function growTree(keys: readonly Pair[]): { leaves: Uint8Array[]; correction: Uint8Array<ArrayBuffer> } {
  const [roots, ...others] = keys;
  let level: Uint8Array[] = [...roots!];
  const correction = new Uint8Array(correctionBytes(keys.length));
  for (const [depth, pair] of others.entries()) {
    level = level.flatMap(childrenOf);
    for (const side of [0, 1] as const) {
      const sum = correction.subarray((2 * depth + side) * seedBytes).subarray(0, seedBytes);
      sum.set(pair[side]);
      for (let i = side; i < level.length; i += 2) xorSeed(sum, level[i]!);
    }
  }
  return { leaves: level, correction };
}

/**
 * All leaves but the one at `path`, which is undefined. Each key is the one off the path: of side 1 where the path's bit
 * (the highest at the root) is 0, and of side 0 where it is 1.
 */
export function growPuncturedTree(
  keys: readonly Uint8Array[],
  path: number,
  correction: Uint8Array,
): (Uint8Array | undefined)[] {
  assert(correction.length === correctionBytes(keys.length), 'a correction has 32 bytes a level');
  const turn = (depth: number) => (path >> (keys.length - 1 - depth)) & 1;
  let level: (Uint8Array | undefined)[] = turn(0) === 0 ? [undefined, keys[0]] : [keys[0], undefined];
  for (let depth = 1; depth < keys.length; depth++) {
    level = level.flatMap((seed) => (seed === undefined ? [undefined, undefined] : childrenOf(seed)));
    const side = 1 - turn(depth);
    // The sum of this side minus what is known of it is the sibling of the path.
    const sibling = correction.slice((2 * (depth - 1) + side) * seedBytes, (2 * (depth - 1) + side + 1) * seedBytes);
    xorSeed(sibling, keys[depth]!);
    for (let i = side; i < level.length; i += 2) if (level[i] !== undefined) xorSeed(sibling, level[i]!);
    level[2 * (path >> (keys.length - depth)) + side] = sibling;
  }
  return level;
}

/** Bytes of the correction of a tree with so many levels. */
export function correctionBytes(levels: number): number {
  return 2 * seedBytes * (levels - 1);
}

function childrenOf(seed: Uint8Array): [Uint8Array, Uint8Array] {
  const both = sha256(utf8('folkmoot tree v1'), seed);
  return [both.slice(0, seedBytes), both.slice(seedBytes)];
}

function xorSeed(target: Uint8Array, other: Uint8Array): void {
  for (let i = 0; i < seedBytes; i++) target[i]! ^= other[i]!;
}

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../src/algebra/bytes.ts';
import { sha256 } from '../src/algebra/hash.ts';
import {
  append,
  consistencyProof,
  inclusionProof,
  leafHash,
  type NodeAt,
  rootOf,
  treeSizeMax,
  verifyConsistency,
  verifyInclusion,
} from '../src/algebra/merkle-tree.ts';

/**
 * Inputs, roots and proofs of the certificate-transparency reference: `merkletree/merkle_tree_test.cc` of
 * google/certificate-transparency, kept today as `testonly` of transparency-dev/merkle.
 */
const published = {
  entries: ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'],
  empty: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  roots: [
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ],
  inclusion: [
    {
      index: 0,
      size: 8,
      proof: [
        '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
      ],
    },
    { index: 2, size: 3, proof: ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'] },
    {
      index: 1,
      size: 5,
      proof: [
        '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      ],
    },
  ],
  consistency: [
    { from: 1, to: 1, proof: [] },
    {
      from: 1,
      to: 8,
      proof: [
        '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
      ],
    },
    {
      from: 6,
      to: 8,
      proof: [
        '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
        'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
        'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      ],
    },
    {
      from: 2,
      to: 5,
      proof: [
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      ],
    },
  ],
};

/** A tree in memory, grown one leaf at a time. */
function treeOf(leaves: readonly Uint8Array[]): NodeAt {
  const nodes = new Map<string, Uint8Array>();
  const at: NodeAt = (level, index) => {
    const hash = nodes.get(`${level}/${index}`);
    if (hash === undefined) throw new Error(`no node ${index} of level ${level}`);
    return hash;
  };
  leaves.forEach((leaf, size) => {
    for (const { level, index, hash } of append(size, leaf, at)) nodes.set(`${level}/${index}`, hash);
  });
  return at;
}

/** The definitions of RFC 6962 §2.1 to the letter: over a list, by recursion, remembering nothing. */
function split(n: number): number {
  let k = 1;
  while (2 * k < n) k *= 2;
  return k;
}
function plainRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0]!;
  const k = split(leaves.length);
  return sha256(Uint8Array.of(1), plainRoot(leaves.slice(0, k)), plainRoot(leaves.slice(k)));
}
function plainPath(m: number, leaves: readonly Uint8Array[]): Uint8Array[] {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return m < k
    ? [...plainPath(m, leaves.slice(0, k)), plainRoot(leaves.slice(k))]
    : [...plainPath(m - k, leaves.slice(k)), plainRoot(leaves.slice(0, k))];
}
function plainProof(m: number, leaves: readonly Uint8Array[], isWhole = true): Uint8Array[] {
  if (m === leaves.length) return isWhole ? [] : [plainRoot(leaves)];
  const k = split(leaves.length);
  return m <= k
    ? [...plainProof(m, leaves.slice(0, k), isWhole), plainRoot(leaves.slice(k))]
    : [...plainProof(m - k, leaves.slice(k), false), plainRoot(leaves.slice(0, k))];
}

const hexes = (hashes: readonly Uint8Array[]) => hashes.map(toHex);
const flipped = (hash: Uint8Array) => Uint8Array.from(hash, (byte, at) => (at === 7 ? byte ^ 1 : byte));
const leavesOf = (count: number) => Array.from({ length: count }, (_, n) => leafHash(Uint8Array.of(n, n >> 8)));

describe('a Merkle tree', () => {
  const leaves = published.entries.map((entry) => leafHash(fromHex(entry)));
  const at = treeOf(leaves);

  it('has the published roots', () => {
    expect(toHex(rootOf(0, at))).toBe(published.empty);
    expect(published.roots.map((_, n) => toHex(rootOf(n + 1, at)))).toEqual(published.roots);
  });

  it('gives the published proofs of inclusion and of consistency, and believes them', () => {
    const rootAt = (size: number) => fromHex(published.roots[size - 1]!);
    for (const { index, size, proof } of published.inclusion) {
      expect(hexes(inclusionProof(index, size, at))).toEqual(proof);
      expect(verifyInclusion(leaves[index]!, index, size, proof.map(fromHex), rootAt(size))).toBe(true);
    }
    for (const { from, to, proof } of published.consistency) {
      expect(hexes(consistencyProof(from, to, at))).toEqual(proof);
      expect(verifyConsistency(from, to, rootAt(from), rootAt(to), proof.map(fromHex))).toBe(true);
    }
  });

  it('equals a plain second version at every size, leaf and pair of sizes', () => {
    const all = leavesOf(40);
    const tree = treeOf(all);
    for (let size = 1; size <= all.length; size++) {
      const of = all.slice(0, size);
      const root = rootOf(size, tree);
      expect(root).toEqual(plainRoot(of));
      for (let n = 0; n < size; n++) {
        const path = inclusionProof(n, size, tree);
        expect(hexes(path)).toEqual(hexes(plainPath(n, of)));
        expect(verifyInclusion(all[n]!, n, size, path, root)).toBe(true);
        const proof = consistencyProof(n + 1, size, tree);
        expect(hexes(proof)).toEqual(hexes(plainProof(n + 1, of)));
        expect(verifyConsistency(n + 1, size, rootOf(n + 1, tree), root, proof)).toBe(true);
      }
    }
  });

  it('believes no proof for another leaf, place, size or root, nor one that is longer, shorter or changed', () => {
    const sizes = fc.tuple(fc.integer({ min: 2, max: 200 }), fc.nat(), fc.nat(), fc.nat());
    const all = leavesOf(200);
    const tree = treeOf(all);
    void fc.assert(
      fc.property(sizes, ([size, a, b, c]) => {
        const root = rootOf(size, tree);
        const [index, other] = [a % size, b % size];
        const path = inclusionProof(index, size, tree);
        const holds = (leaf: Uint8Array, place: number, proof: readonly Uint8Array[], under = root) =>
          verifyInclusion(leaf, place, size, proof, under);
        expect(holds(all[other]!, other, path)).toBe(other === index);
        expect(holds(all[index]!, other, path)).toBe(other === index);
        expect(holds(all[index]!, index, path, rootOf(size - 1, tree))).toBe(false);
        expect(holds(all[index]!, index, path.slice(1))).toBe(false);
        expect(holds(all[index]!, index, [...path, root])).toBe(false);
        const at = c % path.length;
        expect(holds(all[index]!, index, path.with(at, flipped(path[at]!)))).toBe(false);

        const from = (a % (size - 1)) + 1;
        const [before, proof] = [rootOf(from, tree), consistencyProof(from, size, tree)];
        expect(verifyConsistency(from, size, flipped(before), root, proof)).toBe(false);
        expect(verifyConsistency(from, size, before, flipped(root), proof)).toBe(false);
        expect(verifyConsistency(from, size, before, root, proof.slice(1))).toBe(false);
        expect(verifyConsistency(from, size, before, root, [...proof, root])).toBe(false);
        const node = c % proof.length;
        expect(verifyConsistency(from, size, before, root, proof.with(node, flipped(proof[node]!)))).toBe(false);
      }),
      { numRuns: 100 },
    );
  });

  it('notices every log that was rewritten before the size that was seen', () => {
    const all = leavesOf(64);
    void fc.assert(
      fc.property(fc.integer({ min: 1, max: 63 }), fc.nat(), fc.integer({ min: 1, max: 64 }), (from, which, more) => {
        const to = Math.min(64, from + more);
        const changed = all.with(which % from, leafHash(Uint8Array.of(9, 9, 9)));
        const forked = treeOf(changed);
        const proof = consistencyProof(from, to, forked);
        const seen = rootOf(from, treeOf(all));
        expect(verifyConsistency(from, to, seen, rootOf(to, forked), proof)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  it('begins with nothing, and takes no size that is none', () => {
    const root = rootOf(8, at);
    expect(verifyConsistency(0, 8, rootOf(0, at), root, [])).toBe(true);
    expect(verifyConsistency(0, 8, root, root, [])).toBe(false);
    for (const size of [-1, 0.5, Number.NaN, treeSizeMax + 1]) {
      expect(verifyConsistency(size, 8, root, root, [])).toBe(false);
      expect(verifyConsistency(1, size, root, root, [])).toBe(false);
      expect(verifyInclusion(leaves[0]!, size, 8, [], root)).toBe(false);
      expect(verifyInclusion(leaves[0]!, 0, size, [], root)).toBe(false);
    }
    expect(verifyConsistency(8, 7, root, root, [])).toBe(false);
    expect(verifyInclusion(leaves[0]!, 8, 8, [], root)).toBe(false);
  });
});

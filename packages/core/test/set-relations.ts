/**
 * Sets that overlap in a known number of elements, and what an intersection of them has to be.
 * @module
 */
import { expect } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { shuffled } from '../src/protocols/shuffle.ts';

/** Random elements of 16 bytes, so many of them in both sets, each set in an order of its own. */
export function overlapping(
  receiverCount: number,
  senderCount: number,
  common: number,
  seed = 1,
): { receiver: Uint8Array; sender: Uint8Array } {
  const rng = seededRng(seed);
  const both = rng(16 * common);
  const set = (count: number) => {
    const all = new Uint8Array(16 * count);
    all.set(both);
    all.set(rng(16 * (count - common)), 16 * common);
    return inOrder(all, shuffled(count, rng));
  };
  return { receiver: set(receiverCount), sender: set(senderCount) };
}

/** `found` has 1 for exactly those of the receiver's elements that the sender has, and so many of them. */
export function expectIntersection(found: Uint8Array, receiver: Uint8Array, sender: Uint8Array, common: number): void {
  const theirs = new Set(elementsOf(sender));
  const expected = elementsOf(receiver).map((element) => (theirs.has(element) ? 1 : 0));
  expect(expected.filter((each) => each === 1).length).toBe(common);
  expect([...found]).toEqual(expected);
}

function elementsOf(set: Uint8Array): string[] {
  return Array.from({ length: set.length / 16 }, (_, i) => Buffer.from(set).toString('hex', 16 * i, 16 * i + 16));
}

function inOrder(all: Uint8Array, order: Uint32Array): Uint8Array {
  const turned = new Uint8Array(all.length);
  for (const [to, from] of order.entries()) turned.set(all.subarray(16 * from, 16 * from + 16), 16 * to);
  return turned;
}

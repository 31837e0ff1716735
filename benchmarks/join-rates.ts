/**
 * What the parts of a join take by themselves, at one core and over no channel: the processor's seconds, the median of
 * three.
 * @module
 */
import { cuckooTable, simpleTable } from '@folkmoot/core/cuckoo.js';
import { canonicalIdentifier, identifierKeys } from '@folkmoot/core/identifier.js';
import { decodeOkvs, encodeOkvs } from '@folkmoot/core/okvs.js';
import { Prg } from '@folkmoot/core/prg.js';
import { key } from './attempt.ts';
import { median, seconds } from './machine.ts';

const runs = 3;

function timed(work: () => unknown): number {
  const times = Array.from({ length: runs + 1 }, () => {
    const begin = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(begin);
    return (user + system) / 1e6;
  });
  // The first one warms up.
  return median(times.slice(1));
}

function drawn(name: string, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  new Prg(key(name).subarray(0, 16)).fill(out);
  return out;
}

/** Lines of what, elements, time and time an element. */
export function joinRates(elements: number): string[][] {
  const lines: string[][] = [];
  const line = (what: string, count: number, work: () => unknown): void => {
    const time = timed(work);
    lines.push([what, count.toLocaleString('en'), seconds(time), `${((1e9 * time) / count).toPrecision(3)} ns`]);
  };
  const seed = drawn('seed', 16);
  const coins = (bytes: number) => drawn('coins', bytes);
  for (const [count, blocks] of [
    [elements, 1],
    [3 * elements, 1],
    [3 * elements, 2],
  ] as const) {
    const keys = drawn('keys', 16 * count);
    const values = drawn('values', 16 * blocks * count);
    const store = encodeOkvs(keys, values, seed, coins);
    line(`store of values of ${16 * blocks} bytes, encoded`, count, () => encodeOkvs(keys, values, seed, coins));
    line(`store of values of ${16 * blocks} bytes, decoded`, count, () => decodeOkvs(store, count, keys, seed));
  }
  const set = drawn('keys', 16 * elements);
  const { bins } = cuckooTable(set, seed);
  line('cuckoo table', elements, () => cuckooTable(set, seed));
  line('simple table', elements, () => simpleTable(set, seed, bins.length));
  const texts = Array.from({ length: elements }, (_, i) => String(1_000_000_000 + 7919 * i));
  const column = { type: 'identifier', normalise: 'digits' } as const;
  line('identifiers of digits, normalised', elements, () => {
    for (const text of texts) canonicalIdentifier(text, column);
  });
  line('their keys', elements, () => identifierKeys(seed, texts));
  return lines;
}

import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseJob } from '@folkmoot/core/job.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningCoordinator } from '../../coordinator/src/server.ts';
import { type Consortium, consortium, type Party, parties } from '../../coordinator/test/consortium.ts';
import { createClient } from '../src/client.ts';
import { type Row, takePart } from './computing-node.ts';

let moot: Consortium;
let running: RunningCoordinator;
beforeEach(async () => {
  moot = await consortium();
  running = await moot.start();
});
afterEach(() => moot.remove());

const job = parseJob(
  `
folkmoot: 1
title: Sum of serials
purpose: harvest
from: stores
measures: { total: { sum: serial } }
`,
  'job',
);

const row = (serial: number): Row => ({ kind: 'corn', weight: 1, serial });
const planted: Record<Party, Row[]> = {
  ant: [row(712_345_678_901_234), row(1)],
  bee: [row(698_765_432_109_876), row(2)],
  cat: [row(655_443_322_110_099), row(3)],
};

/** Every way in which these bytes could stand in a log, a frame or a file. */
function formsOf(bytes: Buffer): Buffer[] {
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].map((shift) => {
    const shifted = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    // What stands before and after belongs to neighbours.
    return shifted.slice(shift === 0 ? 0 : shift + 1, -2);
  });
  const texts = [hex, hex.toUpperCase(), ...base64];
  return [
    bytes,
    Buffer.from(bytes).reverse(),
    ...texts.flatMap((text) => [Buffer.from(text), Buffer.from(text, 'utf16le')]),
  ];
}

function formsOfNumber(value: bigint): Buffer[] {
  const words = Buffer.alloc(8);
  words.writeBigInt64LE(value);
  const digits = value.toString();
  return [...formsOf(words), ...formsOf(Buffer.from(digits)), Buffer.from(digits, 'utf16le')];
}

describe('the coordinator', () => {
  it('never sees a record, a share or an answer: not in a frame, its log or its database', async () => {
    const seen: Buffer[] = [];
    const nodes = await Promise.all(
      parties.map((party) =>
        takePart({
          moot,
          url: running.url,
          party,
          rows: planted[party],
          tap: (bytes) => void seen.push(Buffer.from(bytes)),
        }),
      ),
    );
    const { charter, analysts } = moot;
    const answers: Buffer[] = [];
    const spy: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!String(input).includes('events')) answers.push(Buffer.from(await response.clone().arrayBuffer()));
      return response;
    };
    const keys = analysts.owl;
    const client = createClient({
      charter,
      analyst: 'owl',
      keys,
      url: running.url,
      clock: systemClock,
      randomBytes,
      fetch: spy,
    });
    const { job: id } = await client.submit(job);
    const shares = await Promise.all(nodes.map(({ finished }) => finished));
    const answer = await client.answer(id);
    const values = Object.values(planted)
      .flat()
      .map(({ serial }) => BigInt(serial));
    const sum = values.reduce((total, value) => total + value, 0n);
    expect(answer.rows).toEqual([{ total: { value: Number(sum), exact: sum.toString() } }]);
    await running.stop();

    const state = join(moot.folder, 'state');
    const disk = readdirSync(state).map((file) => readFileSync(join(state, file)));
    const everything = Buffer.concat([...seen, ...answers, ...disk, Buffer.from(moot.logged())]);
    expect(everything.includes(id)).toBe(true);
    expect(seen.length).toBeGreaterThan(20);

    const perParty = Object.values(planted).map((rows) =>
      rows.reduce((total, { serial }) => total + BigInt(serial), 0n),
    );
    const numbers = [...values.filter((value) => value > 1000n), ...perParty, sum];
    for (const form of numbers.flatMap(formsOfNumber)) expect(everything.includes(form)).toBe(false);
    for (const form of shares.flatMap((share) => formsOf(Buffer.from(share.subarray(0, 8))))) {
      expect(everything.includes(form)).toBe(false);
    }
    // The search would find them.
    const words = Buffer.alloc(8);
    words.writeBigInt64LE(sum);
    const control = Buffer.concat([
      everything,
      Buffer.from(Buffer.concat([randomBytes(4), words, randomBytes(4)]).toString('base64')),
    ]);
    expect(formsOfNumber(sum).some((form) => control.includes(form))).toBe(true);
  });
});

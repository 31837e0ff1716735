/**
 * Oblivious transfer and the correlations on it: rates and bytes, by engine and the size of trees, and beside the kernels' own.
 *
 * All parties compute in this one process, over channels in memory, and times are of one core, so that a party on a
 * machine of its own takes its part of them; what a link would add is in the bytes. `--large` runs 100 million OTs for their memory.
 * @module
 */
import { createHash } from 'node:crypto';
import type { Channel } from '@folkmoot/core/channel.js';
import { deal, dealerCorrelations } from '@folkmoot/core/dealer-correlations.js';
import { kernels } from '@folkmoot/core/kernels.js';
import { recvRandom, sendRandom } from '@folkmoot/core/oblivious-transfer.js';
import { otCorrelations } from '@folkmoot/core/ot-correlations.js';
import { type OtOptions, OtReceiver, OtSender } from '@folkmoot/core/ot-extension.js';
import { platform } from '@folkmoot/core/platform.js';
import { seededRng } from '@folkmoot/core/prg.js';
import { SessionChannel } from '@folkmoot/core/session.js';
import { median, megabytes, seconds, table } from './machine.ts';

const rounds = 3;
const seed = 4;

const extensions: readonly [string, OtOptions][] = [
  ...([1, 2, 4, 8] as const).map((k): [string, OtOptions] => [`k = ${k}`, { extension: 'softspoken', k }]),
  ['silent', { extension: 'silent' }],
];

/** Channels in one process, and the bytes that have passed through them. */
function connected(parties: readonly string[]): { all: SessionChannel[]; sent(): number } {
  let bytes = 0;
  const context = { job: new Uint8Array(32), attempt: 1, roster: [...parties].sort() };
  const all = context.roster.map((self): SessionChannel => {
    const secret = (peer: string) => createHash('sha256').update([self, peer].sort().join()).digest();
    return new SessionChannel({
      self,
      context,
      secret,
      async write(peer, record) {
        bytes += record.length - 24;
        all.find((each) => each.self === peer)!.deliver(self, record);
      },
    });
  });
  return { all, sent: () => bytes };
}

/** Seconds of processor time, which other processes on the machine do not lengthen as they do the wall clock's. */
async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

/** The median of some runs, after one that warms up. */
async function medianTime(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i <= rounds; i++) times.push(await timed(run));
  return median(times.slice(1));
}

const million = (perSecond: number) => `${(perSecond / 1e6).toPrecision(3)} M/s`;

async function kernelRates(): Promise<void> {
  const rows = 2 ** 16;
  const k = kernels();
  const pi = platform.aesPermutation(new Uint8Array(16));
  const stream = platform.aesStream(new Uint8Array(16));
  const blocks = new Uint8Array(65_536);
  const [columns, transposed] = k.reserve(16 * rows, 16 * rows);
  const measured: [string, number, () => unknown][] = [
    ['AES blocks, 64 KiB a call', 4096, () => pi(blocks)],
    ['keystream blocks, 8 KiB a call', 512, () => stream.fill(blocks.subarray(0, 8192))],
    ['rows of 128 bits transposed', rows, () => k.transpose(columns!, transposed!)],
    ['products in GF(2^128)', rows, () => k.multiply128(transposed!, new Uint8Array(65_536))],
  ];
  const lines = [['kernel', 'rate']];
  for (const [name, items, run] of measured) {
    const time = await medianTime(async () => {
      for (let i = 0; i < 100; i++) run();
    });
    lines.push([name, million((100 * items) / time)]);
  }
  console.log(`${table(lines)}\n`);
}

async function otRates(): Promise<void> {
  const count = 2 ** 20;
  const lines = [['extension', 'opening', 'random OTs', 'bytes an OT']];
  for (const [name, options] of extensions) {
    const { all, sent } = connected(['a', 'b']);
    const open = async () =>
      Promise.all([
        OtSender.open(all[0]!, 'b', seededRng(seed), options),
        OtReceiver.open(all[1]!, 'a', seededRng(seed + 1), options),
      ] as const);
    let ends: Awaited<ReturnType<typeof open>> | undefined;
    const opening = await timed(async () => {
      ends = await open();
    });
    const [sender, receiver] = ends!;
    const before = sent();
    const time = await medianTime(() => Promise.all([sendRandom(sender, count), recvRandom(receiver, count)]));
    const bytes = (sent() - before) / (count * (rounds + 1));
    lines.push([name, seconds(opening), million(count / time), bytes.toFixed(2)]);
  }
  console.log(`two parties, ${count.toLocaleString('en')} random OTs, both ends on one core\n${table(lines)}\n`);
}

async function correlationRates(): Promise<void> {
  const sizes = { bitTriples: 2 ** 20, triples: 2 ** 14, sharedBits: 2 ** 18 } as const;
  const lines = [['parties', 'source', 'kind', 'rate', 'bytes each, all parties']];
  const header = 'correlations, all parties on one core';
  for (const parties of [
    ['a', 'b'],
    ['a', 'b', 'c'],
  ]) {
    for (const [name, options] of extensions.filter(([each]) => each !== 'k = 1' && each !== 'k = 8')) {
      const { all, sent } = connected(parties);
      const sources = await Promise.all(all.map((ch, i) => otCorrelations(ch, seededRng(seed + i), options)));
      for (const [kind, count] of Object.entries(sizes) as [keyof typeof sizes, number][]) {
        const before = sent();
        const time = await medianTime(() => Promise.all(sources.map((source) => source[kind](count))));
        const bytes = (sent() - before) / (count * (rounds + 1));
        lines.push([String(parties.length), `OT, ${name}`, kind, million(count / time), bytes.toFixed(2)]);
      }
    }
    const { all, sent } = connected([...parties, 'dealer']);
    const served = deal(all.at(-1)!);
    const sources = all.slice(0, -1).map((ch: Channel) => dealerCorrelations(ch, 'dealer'));
    for (const [kind, count] of Object.entries(sizes) as [keyof typeof sizes, number][]) {
      const before = sent();
      const time = await medianTime(() => Promise.all(sources.map((source) => source[kind](count))));
      const bytes = (sent() - before) / (count * (rounds + 1));
      lines.push([String(parties.length), 'dealer', kind, million(count / time), bytes.toFixed(2)]);
    }
    await Promise.all(sources.map((source) => source.close()));
    await served;
  }
  console.log(`${header}\n${table(lines)}\n`);
}

/** In calls of 2^20, as a computation takes them. */
async function largeRun(): Promise<void> {
  const calls = 96;
  const { all, sent } = connected(['a', 'b']);
  const [sender, receiver] = await Promise.all([
    OtSender.open(all[0]!, 'b', seededRng(seed)),
    OtReceiver.open(all[1]!, 'a', seededRng(seed + 1)),
  ] as const);
  const time = await timed(async () => {
    for (let i = 0; i < calls; i++) await Promise.all([sendRandom(sender, 2 ** 20), recvRandom(receiver, 2 ** 20)]);
  });
  const peak = process.resourceUsage().maxRSS * 1024;
  const count = (calls * 2 ** 20).toLocaleString('en');
  console.log(
    `${count} random OTs: ${seconds(time)}, ${megabytes(sent())} sent, peak of this process ${megabytes(peak)}`,
  );
}

console.log(`oblivious transfer, seed ${seed}, median of ${rounds} runs\n`);
if (process.argv.includes('--large')) {
  await largeRun();
} else {
  await kernelRates();
  await otRates();
  await correlationRates();
}

/**
 * Computing on shares by three parties, each a process of its own, over the relay on loopback, beside what others take.
 *
 * Four parts: circuits beside the published figures of peers and beside jiff-mpc in the same run, with what was aimed
 * at; correlations a second at one core and at two; how time, bytes and memory grow; and the same over a slow link.
 * `--large` goes on to 10^8 OTs and 10^7 triples. A part's name runs it alone: `npm run bench -- circuits link`.
 * @module
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { seed } from './attempt.ts';
import { aims } from './circuits-aims.ts';
import { Cluster, type Measurement, type Task } from './circuits-cluster.ts';
import type { Setting } from './circuits-process.ts';
import { checkLink } from './link-check.ts';
import { megabytes, seconds, table } from './machine.ts';
import { installPeers, peers } from './peers-install.ts';
import { type Published, publishedFor } from './published.ts';

type Source = Setting['source'];

const otSources: readonly Source[] = ['softspoken', 'silent'];
/** Three parties fill two cores by themselves, with one thread each. */
const three = { parties: 3, threads: 1, link: null } as const;
const two = { parties: 2, threads: 1, link: null } as const;

const isLarge = process.argv.includes('--large');
const cells = 10_000;

const named = (count: number) => count.toLocaleString('en');
const bytes = (count: number) => (count < 1e9 ? megabytes(count) : `${(count / 1e9).toPrecision(3)} GB`);
const both = (row: Measurement) => row.preprocessing + row.online;
const bytesOf = (row: Measurement) => row.preprocessingBytes + row.onlineBytes;

/** The rows of a cluster of its own. */
async function measure(setting: Setting, tasks: readonly Task[], cores?: '0'): Promise<Measurement[]> {
  const cluster = await Cluster.start(setting, cores);
  try {
    return await cluster.measureAll(tasks);
  } finally {
    cluster.close();
  }
}

function rowsOf(work: Task['work'], counts: readonly number[]): Task[] {
  return counts.map((count) => ({ work, count }));
}

const circuits: readonly Task[] = [
  ...rowsOf('comparisons', [100, 1_000, 10_000, 100_000]),
  ...rowsOf('comparisons within 63 bits', [100_000]),
  ...rowsOf('comparisons within 32 bits', [100_000]),
  ...rowsOf('multiplications', [1_000, 1_000_000]),
  ...rowsOf('suppression', [cells]),
];

async function besidePeers(): Promise<void> {
  const rows: Measurement[] = [];
  for (const source of [...otSources, 'dealer'] as const) {
    rows.push(...(await measure({ ...three, source }, circuits)));
  }
  const head = ['', 'number', 'source', 'preprocessing', 'online', 'both', 'processors', 'bytes', 'peak a party'];
  const lines = [...rows.map(besidePublished), ...onlineAlone(rows)];
  console.log(table([[...head, 'peer', 'to its time', 'to its bytes'], ...lines]));
  const bases = rows.filter(({ base }) => base > 0).map(({ base }) => base);
  const [least, most] = [Math.min(...bases), Math.max(...bases)].map(seconds);
  console.log(
    '\nBytes are those of all parties and the dealer, a peak is that so far, and processors are the seconds of all',
  );
  console.log(`processes. Base OTs are apart: ${least} to ${most}, once a job.\n`);
  const peer = jiff();
  besideJiff(rows, peer);
  console.log(`${table([['aim', 'source', 'limit', 'measured', 'met'], ...aims(rows, peer.comparisons)])}\n`);
}

function besidePublished(row: Measurement): string[] {
  const { work, count, setting, preprocessing, online, cpu, peak } = row;
  const times = [preprocessing, online, both(row), cpu].map(seconds);
  const ours = [work, named(count), setting.source, ...times, bytes(bytesOf(row)), megabytes(peak)];
  const peer = publishedFor(work, count, setting.source === 'dealer' ? 'dealer' : 'OT');
  return [...ours, ...compared(peer, both(row), bytesOf(row))];
}

/** Of the rows whose online part alone was published. */
function onlineAlone(rows: readonly Measurement[]): string[][] {
  return rows.flatMap(({ work, count, setting, online, onlineBytes }) => {
    const peer = publishedFor(work, count, 'OT', 'online');
    if (peer === undefined) return [];
    const ours = [`${work}, online`, named(count), setting.source, '', seconds(online), '', '', bytes(onlineBytes), ''];
    return [[...ours, ...compared(peer, online, onlineBytes)]];
  });
}

function compared(peer: Published | undefined, time: number, sent: number): string[] {
  if (peer === undefined) return ['', '', ''];
  const ratio = (ours: number, theirs: number) => `${(ours / theirs).toPrecision(2)} ×`;
  const toBytes = peer.bytes === undefined ? '' : ratio(sent, peer.bytes);
  return [`${peer.peer} ${seconds(peer.seconds)}`, ratio(time, peer.seconds), toBytes];
}

interface Jiff {
  /** Seconds for 100 of 64 bits. */
  readonly comparisons: number;
  /** Seconds for 1,000. */
  readonly multiplications: number;
}

function jiff(): Jiff {
  installPeers();
  const run = (...args: string[]): number => {
    const printed = execFileSync(process.execPath, ['jiff-circuits.js', ...args], { cwd: peers, encoding: 'utf8' });
    return Number(printed.trim().split('\n').at(-1));
  };
  return { comparisons: run('comparisons', '100'), multiplications: run('multiplications', '1000') };
}

function besideJiff(rows: readonly Measurement[], { comparisons, multiplications }: Jiff): void {
  const theirs: readonly [Task['work'], number, number, string][] = [
    ['comparisons', 100, comparisons, ''],
    ['comparisons', 100_000, 1000 * comparisons, ', from 100'],
    ['multiplications', 1_000, multiplications, ''],
  ];
  const lines = theirs.flatMap(([work, count, time, note]) =>
    rows
      .filter((row) => row.work === work && row.count === count)
      .map((row) => {
        const ratio = `${Math.round(time / both(row)).toLocaleString('en')} ×`;
        return [work, named(count), row.setting.source, seconds(both(row)), `${seconds(time)}${note}`, ratio];
      }),
  );
  console.log(`${table([['', 'number', 'source', 'folkmoot', 'jiff-mpc', 'jiff-mpc to folkmoot'], ...lines])}\n`);
}

async function rates(): Promise<void> {
  const canPin = spawnSync('taskset', ['-V']).status === 0;
  const tasks: readonly Task[] = [
    { work: 'random OTs', count: 2 ** 22 },
    { work: 'bit triples', count: 2 ** 23 },
    { work: 'shared bits', count: 2 ** 20 },
    { work: 'triples', count: 2 ** 15 },
  ];
  const rate = (row: Measurement, time = row.preprocessing) => `${(row.count / time / 1e6).toPrecision(3)} M/s`;
  const lines: string[][] = [];
  for (const source of otSources) {
    const alone = canPin ? await measure({ ...two, source }, tasks, '0') : [];
    const spread = await measure({ ...two, source }, tasks);
    const threaded = await measure({ ...two, source, threads: availableParallelism() }, tasks);
    for (const [i, row] of spread.entries()) {
      const each = (row.preprocessingBytes / row.count).toPrecision(3);
      const measured = [alone[i], row, threaded[i]].map((one) => (one === undefined ? '' : rate(one)));
      lines.push([row.work, source, ...measured, rate(row, row.cpu), each, megabytes(row.peak)]);
    }
  }
  console.log('two parties and the relay: on one core, on all, and on all with as many threads in each party');
  const rated = ['one core', 'all cores', 'threads', 'a processor second'];
  const head = ['', 'source', ...rated, 'bytes each, both parties', 'peak a party'];
  console.log(`${table([head, ...lines])}\n`);
}

async function growth(): Promise<void> {
  const powers = (to: number) => Array.from({ length: to - 2 }, (_, i) => 10 ** (i + 3));
  const lines: string[][] = [];
  for (const source of otSources) {
    const pair = await measure({ ...two, source }, rowsOf('random OTs', powers(isLarge ? 8 : 7)));
    const bits = await measure({ ...three, source }, rowsOf('bit triples', powers(isLarge ? 8 : 7)));
    const words = await measure({ ...three, source }, rowsOf('triples', powers(isLarge ? 7 : 5)));
    for (const row of [...pair, ...bits, ...words]) {
      const { work, count, setting, preprocessing, cpu, preprocessingBytes, peak } = row;
      const cost = [seconds(preprocessing), seconds(cpu), bytes(preprocessingBytes), megabytes(peak)];
      lines.push([work, String(setting.parties), source, named(count), ...cost]);
    }
  }
  const head = ['', 'parties', 'source', 'number', 'time', 'processors, with base OTs', 'bytes', 'peak a party'];
  console.log(`${table([head, ...lines])}\n`);
}

async function overLink(): Promise<void> {
  // Two links lie between two parties, so that each has half of the delay.
  const between = { delayMs: 10, bitsPerSecond: 100e6 };
  const each = { ...between, delayMs: between.delayMs / 2 };
  const checks = await checkLink(between);
  const checked = checks.map(({ what, measuredMs, expectedMs }) => {
    const deviation = `${(100 * (measuredMs / expectedMs - 1)).toFixed(2)} %`;
    return [what, `${measuredMs.toFixed(1)} ms`, `${expectedMs.toFixed(1)} ms`, deviation];
  });
  console.log('a link of 20 ms (both ways) and 100 Mbit/s, alone');
  console.log(`${table([['', 'measured', 'by arithmetic', 'deviation'], ...checked])}\n`);

  const tasks: readonly Task[] = [
    ...rowsOf('comparisons', [100, 1_000, 10_000]),
    ...rowsOf('multiplications', [1_000, 10_000]),
    ...rowsOf('suppression', [cells]),
  ];
  const lines: string[][] = [];
  for (const source of [...otSources, 'dealer'] as const) {
    for (const row of await measure({ ...three, source, link: each }, tasks)) {
      const { work, count, base, preprocessing, online } = row;
      const cost = [base, preprocessing, online, both(row)].map(seconds);
      // What the busiest party sends or receives is at least its part of all, so no run is faster than that.
      const wire = (8 * bytesOf(row)) / 3 / between.bitsPerSecond;
      lines.push([work, named(count), source, ...cost, bytes(bytesOf(row)), seconds(wire)]);
    }
  }
  console.log('three parties, each behind such a link to the relay: 20 ms from one to another and back');
  const head = [
    '',
    'number',
    'source',
    'base OTs',
    'preprocessing',
    'online',
    'both',
    'bytes',
    'their time on the link',
  ];
  console.log(`${table([head, ...lines])}\n`);
}

const parts = { peers: besidePeers, rates, growth, link: overLink };
const wanted = process.argv.slice(2).filter((each) => each !== '--large');
console.log(`circuits on shares, seed ${seed}; the median of up to 3 runs\n`);
for (const [name, part] of Object.entries(parts)) if (wanted.length === 0 || wanted.includes(name)) await part();

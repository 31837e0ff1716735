/**
 * Joins of two parties, each a process of its own: matches that one of them learns, and the hidden join, which leaves
 * shares of how many people both have and of one sum over them; the hidden join also with what a helper has dealt.
 *
 * Each over two roads: core alone, over a WebSocket from party to party, and the product's, over sealed sessions through
 * the relay. Parts: rates of what a join is made of; sets of one size beside @openmined/psi.js in the same run, with what
 * was aimed at; growth; sets of very different sizes; and the same over a slow link. A part's name runs it alone:
 * `npm run bench:psi -- link`. `--to=16` ends at sets of 2^16.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { seed } from './attempt.ts';
import { Cluster, type Measurement, type Task } from './circuits-cluster.ts';
import type { Setting } from './circuits-process.ts';
import { joinAims } from './join-aims.ts';
import { joinRates } from './join-rates.ts';
import type { JoinName } from './join-work.ts';
import { checkLink } from './link-check.ts';
import { megabytes, seconds, table } from './machine.ts';
import { installPeers, peers } from './peers-install.ts';

/** Two parties with a thread each beside their own fill two cores. */
const two = { parties: 2, threads: 1, link: null } as const;

/** What is measured, as rows name it. */
const kinds: readonly { readonly name: string; readonly work: JoinName; readonly source: Setting['source'] }[] = [
  { name: 'plain', work: 'matches', source: 'silent' },
  { name: 'hidden', work: 'hidden sums', source: 'silent' },
  { name: 'hidden, dealt', work: 'hidden sums', source: 'dealer' },
];

const powerMax = Number(process.argv.find((each) => each.startsWith('--to='))?.slice(5) ?? 20);
const sizesOf = (powers: readonly number[]) => powers.filter((power) => power <= powerMax).map((power) => 2 ** power);

const named = (count: number) =>
  Number.isInteger(Math.log2(count)) ? `2^${Math.log2(count)}` : count.toLocaleString('en');
const kindOf = ({ work, setting }: Measurement) =>
  kinds.find((kind) => kind.work === work && kind.source === setting.source)!.name;
const roadOf = ({ setting }: Measurement) => (setting.road === 'direct' ? 'core alone' : 'relayed');
const whole = ({ base, preprocessing, online }: Measurement) => base + preprocessing + online;
/** A dealer needs no base OTs. */
const orNone = (time: number) => (time === 0 ? '' : seconds(time));
const bytesOf = (row: Measurement) => row.preprocessingBytes + row.onlineBytes;

/** Each kind in a cluster of its own, the smallest sets first. */
async function measure(
  more: Partial<Setting>,
  sizes: readonly Pick<Task, 'count' | 'peerCount'>[],
  wanted = kinds,
): Promise<Measurement[]> {
  const rows: Measurement[] = [];
  for (const { work, source } of wanted) {
    const cluster = await Cluster.start({ ...two, ...more, source });
    try {
      rows.push(...(await cluster.measureAll(sizes.map((size) => ({ work, ...size })))));
    } finally {
      cluster.close();
    }
  }
  return rows;
}

/** Rows of each road that parts share: measured once. */
const measured = new Map<string, Promise<Measurement[]>>();

function equalSizes(road: 'direct' | undefined, powers: readonly number[]): Promise<Measurement[]> {
  const name = `${road} ${powers.join()}`;
  const rows =
    measured.get(name) ??
    measure(
      road === undefined ? {} : { road },
      sizesOf(powers).map((count) => ({ count })),
    );
  measured.set(name, rows);
  return rows;
}

const allPowers = [10, 12, 14, 16, 18, 20];
const shownPowers = [12, 16, 20];

interface Peer {
  readonly count: number;
  readonly seconds: number;
  readonly bytes: number;
}

function psiJs(): Peer[] {
  installPeers();
  return [10, 12, 14].map((power) => {
    const printed = execFileSync(process.execPath, ['psi.js', String(2 ** power)], { cwd: peers, encoding: 'utf8' });
    return { count: 2 ** power, ...(JSON.parse(printed.trim().split('\n').at(-1)!) as Omit<Peer, 'count'>) };
  });
}

/** Its time for so many: as measured, or as much an element as for the most that were measured. */
function peerSeconds(all: readonly Peer[], count: number): { readonly time: number; readonly isMeasured: boolean } {
  const same = all.find((each) => each.count === count);
  if (same !== undefined) return { time: same.seconds, isMeasured: true };
  const last = all.at(-1)!;
  return { time: (last.seconds * count) / last.count, isMeasured: false };
}

async function besidePeer(): Promise<void> {
  const theirs = psiJs();
  const direct = await equalSizes('direct', allPowers);
  const relayed = await equalSizes(undefined, shownPowers);
  const rows = [...direct.filter(({ count }) => shownPowers.includes(Math.log2(count))), ...relayed];
  const lines = rows.map((row) => {
    const { base, preprocessing, online, cpu, peak, count } = row;
    const times = [base, preprocessing, online, whole(row), cpu].map(orNone);
    const { time, isMeasured } = peerSeconds(theirs, count);
    const ratio = `${Math.round(time / whole(row)).toLocaleString('en')} ×${isMeasured ? '' : ' *'}`;
    return [kindOf(row), named(count), roadOf(row), ...times, megabytes(bytesOf(row)), megabytes(peak), ratio];
  });
  const head = [
    '',
    'each',
    'road',
    'base OTs',
    'preprocessing',
    'online',
    'in all',
    'processors',
    'sent',
    'peak a party',
  ];
  console.log(table([[...head, 'psi.js to it'], ...lines]));
  console.log(
    '\nBytes are those of all parties and the dealer, a peak is that so far, and processors are the seconds of all.',
  );
  const measuredPeer = theirs.map(({ count, seconds: time, bytes }) => {
    return [named(count), seconds(time), seconds(time / count), megabytes(bytes)];
  });
  console.log(`\n${table([['@openmined/psi.js', 'time', 'an element', 'sent'], ...measuredPeer])}`);
  console.log(
    `* extrapolated: as much an element as for ${named(theirs.at(-1)!.count)}. It shows the matches, as plain does.\n`,
  );
  const time = (count: number) => peerSeconds(theirs, count).time;
  const aims = joinAims(rows, time);
  if (aims.length > 0) console.log(`${table([['aim', 'limit', 'measured', 'met'], ...aims])}\n`);
}

async function growth(): Promise<void> {
  const lines = (await equalSizes('direct', allPowers)).map((row) => {
    const { count, cpu, peak } = row;
    const online = [row.online, whole(row), cpu].map((time) => `${((1e6 * time) / count).toPrecision(3)} µs`);
    const bits = `${Math.round((8 * bytesOf(row)) / count).toLocaleString('en')} bits`;
    return [kindOf(row), named(count), ...online, bits, megabytes(peak)];
  });
  console.log('growth, core alone: time and bits sent for one element');
  console.log(`${table([['', 'each', 'online', 'in all', 'processors', 'sent', 'peak a party'], ...lines])}\n`);
}

async function sides(): Promise<void> {
  const large = 100 * Math.floor(2 ** powerMax / 100);
  const sizes = [
    { count: large / 100, peerCount: large },
    { count: large, peerCount: large / 100 },
  ];
  const lines = (await measure({ road: 'direct' }, sizes)).map((row) => {
    const times = [row.preprocessing, row.online, whole(row)].map(seconds);
    return [
      kindOf(row),
      named(row.count),
      named(row.peerCount!),
      ...times,
      megabytes(bytesOf(row)),
      megabytes(row.peak),
    ];
  });
  console.log('one side a hundred times the other, core alone');
  const head = ['', 'receiver', 'sender', 'preprocessing', 'online', 'in all', 'sent', 'peak a party'];
  console.log(`${table([head, ...lines])}\n`);
}

async function overLink(): Promise<void> {
  // Two links lie between two parties, so that each has half of the delay.
  const between = { delayMs: 10, bitsPerSecond: 100e6 };
  const checks = await checkLink(between);
  const checked = checks.map(({ what, measuredMs, expectedMs }) => {
    return [what, `${measuredMs.toFixed(1)} ms`, `${expectedMs.toFixed(1)} ms`];
  });
  console.log('a link of 20 ms (both ways) and 100 Mbit/s, alone');
  console.log(`${table([['', 'measured', 'by arithmetic'], ...checked])}\n`);
  const link = { ...between, delayMs: between.delayMs / 2 };
  const rows = await measure(
    { link },
    sizesOf(shownPowers).map((count) => ({ count })),
  );
  const lines = rows.map((row) => {
    const times = [row.base, row.preprocessing, row.online, whole(row)].map(orNone);
    // Whichever of the two sends more sends half of it at least.
    const wire = (4 * bytesOf(row)) / between.bitsPerSecond;
    return [kindOf(row), named(row.count), ...times, megabytes(bytesOf(row)), seconds(wire)];
  });
  console.log('each party behind such a link to the relay');
  const head = [
    '',
    'each',
    'base OTs',
    'preprocessing',
    'online',
    'in all',
    'sent',
    'their time on the link, at least',
  ];
  console.log(`${table([head, ...lines])}\n`);
}

async function rates(): Promise<void> {
  console.log('the parts of a join by themselves, on one core');
  console.log(`${table([['', 'number', 'time', 'each'], ...joinRates(2 ** powerMax)])}\n`);
}

const parts = { rates, peer: besidePeer, growth, sides, link: overLink };
const wanted = process.argv.slice(2).filter((each) => !each.startsWith('--'));
console.log(`joins of two parties, seed ${seed}; the median of up to 3 runs\n`);
for (const [name, part] of Object.entries(parts)) if (wanted.length === 0 || wanted.includes(name)) await part();

/**
 * The joint sum of three parties beside jiff-mpc, in one run: both with all their processes on this machine.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { seed } from './attempt.ts';
import { measure } from './joint-sum-cluster.ts';
import { seconds, table } from './machine.ts';
import { installPeers, peers } from './peers-install.ts';

const sizes = [100, 1_000, 10_000];

installPeers();
console.log(`joint sums of 3 parties beside jiff-mpc, seed ${seed}\n`);
const ours = await measure({ parties: 3, sizes, rounds: 3, only: ['whole, relayed'] });
const rows = ours.map(({ elements, seconds: time }) => {
  const printed = execFileSync(process.execPath, ['jiff-sum.js', String(elements)], { cwd: peers, encoding: 'utf8' });
  const theirs = Number(printed.trim().split('\n').at(-1));
  return [elements.toLocaleString('en'), seconds(time), seconds(theirs), `${(theirs / time).toPrecision(3)} ×`];
});
console.log(`${table([['elements', 'folkmoot, whole', 'jiff-mpc', 'jiff-mpc to folkmoot'], ...rows])}\n`);

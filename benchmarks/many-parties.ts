/**
 * 2 to 50 parties on one machine, 10^5 elements each: what a party sends in bulk does not depend on how many take part.
 * @module
 */
import { seed } from './attempt.ts';
import { measure } from './joint-sum-cluster.ts';
import { megabytes, seconds, table } from './machine.ts';

const elements = 1e5;
const rounds = 3;

console.log(`joint sums of ${elements.toLocaleString('en')} elements, whole and relayed, seed ${seed}\n`);
const rows: string[][] = [['parties', 'time', 'bulk a party', 'handshakes and signatures a party']];
for (const parties of [2, 3, 5, 10, 20, 50]) {
  const [one] = await measure({ parties, sizes: [elements], rounds, only: ['whole, relayed'] });
  rows.push([String(parties), seconds(one!.seconds), megabytes(one!.bulkBytes), megabytes(one!.sessionBytes)]);
}
console.log(`${table(rows)}\n`);

/**
 * The joint sum of three parties' vectors, four ways over the same sockets; see joint-sum-cluster.ts.
 * @module
 */
import { seed } from './attempt.ts';
import { measure } from './joint-sum-cluster.ts';
import { megabytes, seconds, table } from './machine.ts';

const sizes = [1e3, 1e4, 1e5, 1e6, 1e7];
const rounds = 5;

console.log(`joint sum of 3 parties, seed ${seed}, median of ${rounds} rounds\n`);
const all = await measure({ parties: 3, sizes, rounds });
const rows = all.map(({ way, elements, seconds: time, bulkBytes, sessionBytes, peakBytes, analystPeakBytes }) => {
  const plainWay = way.endsWith('direct') ? 'plain, direct' : 'plain, relayed';
  const plain = all.find((each) => each.way === plainWay && each.elements === elements)!.seconds;
  return [
    elements.toLocaleString('en'),
    way,
    seconds(time),
    `${(time / plain).toFixed(2)} ×`,
    megabytes(bulkBytes + sessionBytes),
    megabytes(peakBytes),
    megabytes(analystPeakBytes),
  ];
});
console.log(table([['elements', 'way', 'time', 'to plain', 'sent a party', 'peak a party', 'peak analyst'], ...rows]));
console.log('\nPeaks are those of the process so far: they grow from row to row.\n');

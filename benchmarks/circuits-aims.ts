/**
 * What was aimed at, beside what was measured. An aim that is missed is said, and fails nothing.
 * @module
 */
import type { Measurement } from './circuits-cluster.ts';
import { seconds } from './machine.ts';
import { publishedFor } from './published.ts';

const both = (row: Measurement) => row.preprocessing + row.online;
const gigabytes = (bytes: number) => `${(bytes / 1e9).toPrecision(3)} GB`;

/** Lines of aim, source, limit, measured and met, of each source by which an aim could be met; `jiff` is its time for 100. */
export function aims(rows: readonly Measurement[], jiff: number): string[][] {
  const lines: string[][] = [];
  const each = (work: string, count: number, from: 'OT' | 'dealer', judge: (row: Measurement) => string[][]) => {
    for (const row of rows) {
      const isFrom = (row.setting.source === 'dealer') === (from === 'dealer');
      if (row.work !== work || row.count !== count || !isFrom) continue;
      for (const [what, ...rest] of judge(row)) lines.push([what!, row.setting.source, ...rest]);
    }
  };
  const within = (what: string, value: number, limit: number, show: (value: number) => string) => {
    return [what, show(limit), show(value), value <= limit ? 'yes' : 'no'];
  };
  const spdz = (work: string, count: number, from: 'OT' | 'dealer') => publishedFor(work, count, from)!;

  each('comparisons', 1_000, 'OT', (row) => [within('1,000 comparisons: half a second', both(row), 0.5, seconds)]);
  for (const work of ['comparisons', 'comparisons within 63 bits']) {
    each(work, 100_000, 'OT', (row) => {
      const peer = spdz(work, 100_000, 'OT');
      const bytes = row.preprocessingBytes + row.onlineBytes;
      return [
        within(`100,000 ${work}: 3 × MP-SPDZ's time for 32 bits`, both(row), 3 * peer.seconds, seconds),
        within(`100,000 ${work}: half of its bytes`, bytes, peer.bytes! / 2, gigabytes),
        within(`100,000 ${work}: a thousandth of jiff-mpc's time`, both(row), jiff, seconds),
      ];
    });
  }
  each('multiplications', 1_000_000, 'OT', (row) => {
    const peer = spdz('multiplications', 1_000_000, 'OT');
    const bytes = row.preprocessingBytes + row.onlineBytes;
    return [
      within("1,000,000 multiplications: 3 × MP-SPDZ's time", both(row), 3 * peer.seconds, seconds),
      within('1,000,000 multiplications: a third of its bytes', bytes, peer.bytes! / 3, gigabytes),
    ];
  });
  each('multiplications', 1_000_000, 'dealer', (row) => [
    within(
      "1,000,000 multiplications: 3 × MP-SPDZ's dealer",
      both(row),
      3 * spdz(row.work, row.count, 'dealer').seconds,
      seconds,
    ),
  ]);
  for (const from of ['OT', 'dealer'] as const) {
    each('suppression', 10_000, from, (row) => [
      within('suppression of 10,000 cells: five seconds', both(row), 5, seconds),
    ]);
  }
  return lines;
}

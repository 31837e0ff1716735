/**
 * Three agencies in one process learn their joint total and mean wage, and nothing else about each other.
 *
 *   node --conditions=source examples/three-parties.ts
 */
import { jointSum } from '@folkmoot/core/additive.js';
import { decodeDecimal, encodeDecimal } from '@folkmoot/core/fixed-point.js';
import { openTogether } from '@folkmoot/core/open.js';
import { platform } from '@folkmoot/core/platform.js';
import { rational, toDecimal } from '@folkmoot/core/rational.js';
import { fromIntegers, toIntegers, Z2_64 } from '@folkmoot/core/ring.js';
import { simulate } from '@folkmoot/core/simulate.js';

const wages: Record<string, string[]> = {
  camden: ['2310.50', '1999.99', '2750.00'],
  hackney: ['1820.25'],
  islington: ['3100.00', '2045.10'],
};

// The simulated network is for one process: its keys come from the seed. Between machines, bring a transport.
const { outcomes, rounds, bytes } = await simulate({ parties: Object.keys(wages), seed: 1 }, async (ch) => {
  // At home: local sums, as exact integers of pence.
  const own = wages[ch.self]!;
  const sum = own.reduce((total, wage) => total + encodeDecimal(wage, 2), 0n);
  const input = fromIntegers(Z2_64, [sum, BigInt(own.length)]);

  // Shares of the joint vector cost no message; opening it costs two rounds.
  const share = jointSum(ch, 'wages', input);
  return toIntegers(await openTogether(ch, share, platform.randomBytes));
});

for (const [party, outcome] of outcomes) {
  if ('error' in outcome) throw outcome.error;
  const [sum, count] = outcome.value as [bigint, bigint];
  const mean = toDecimal(rational(sum, count * 100n), { significant: 12 });
  console.log(`${party}: ${count} wages, total ${decodeDecimal(sum, 2)}, mean ${mean}`);
}
console.log(`${rounds} rounds, ${bytes.camden} bytes sent by each party`);

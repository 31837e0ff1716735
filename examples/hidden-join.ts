/**
 * What does the care of people in temporary housing cost? A council and a health board in one process learn it by a job
 * of the sample consortium, and not whom the other knows. Of a tenure with fewer than five people in both nothing opens.
 *
 *   node --conditions=source examples/hidden-join.ts
 */
import { readFile } from 'node:fs/promises';
import { finishAnswer } from '@folkmoot/core/answer.js';
import { parseCharter } from '@folkmoot/core/charter.js';
import { checkJob } from '@folkmoot/core/check-job.js';
import { correlate } from '@folkmoot/core/correlate.js';
import { disclose } from '@folkmoot/core/disclose.js';
import { decode, layout } from '@folkmoot/core/encode.js';
import { evaluate } from '@folkmoot/core/evaluate.js';
import { evaluateCost } from '@folkmoot/core/evaluate-cost.js';
import { parseJob } from '@folkmoot/core/job.js';
import { joinedSections, joinShares, ownSet, pairFor } from '@folkmoot/core/join.js';
import { joinOf } from '@folkmoot/core/join-agreement.js';
import { compile } from '@folkmoot/core/local.js';
import { openTogether } from '@folkmoot/core/open.js';
import { openedLayout } from '@folkmoot/core/opened.js';
import { platform } from '@folkmoot/core/platform.js';
import { sideRecords } from '@folkmoot/core/side-records.js';
import { simulate } from '@folkmoot/core/simulate.js';
import { strictnessOf } from '@folkmoot/core/strictness.js';

// The records: identifiers as each writes them. All people but the first and the last are known to both.
const numbers = ['0004', '0012', '0020', '0039', '0047', '0055', '0063', '0071'];
const left = numbers.slice(0, 7).map((end, i) => {
  return { person: end, nhs_number: `999 010 ${end}`, tenure: i < 6 ? 'temporary' : 'owner', arrears: `${i}00.50` };
});
const right = numbers.slice(1).map((end, i) => ({ nhs_number: `999010${end}`, annual_cost: `${i + 1}400.10` }));

// By public texts alone: what is asked for, what may open of it, and how two sides of up to 512 people (class 18) compute it.
const text = (name: string) => readFile(new URL(`../nodes/${name}`, import.meta.url), 'utf8');
const charter = parseCharter(await text('charter.yaml'), 'charter.yaml');
const checked = checkJob(parseJob(await text('jobs/cost-of-temporary-housing.yaml'), 'job.yaml'), charter);
const strictness = strictnessOf(checked, []);
const query = compile(checked, null, strictness);
const disclosure = disclose({ checked, query, strictness });
const inputs = layout(query, checked.dataset, checked.contributors);
const join = joinOf(checked, query, { inputs, protection: null }, { left: 18, right: 18 })!;
const shown = ([name, value]: [string, unknown]) =>
  `${name} ${value instanceof Object && 'exact' in value ? (value.exact ?? 'withheld') : value}`;

const { outcomes, rounds, bytes } = await simulate({ parties: checked.parties, seed: 1 }, async (ch) => {
  const { randomBytes: rng } = platform;
  const [run, rows] = [{ checked, agreement: join, rng }, ch.self === 'camden' ? left : right];
  const set = await ownSet(ch, run, { joinRecords: async (side) => sideRecords(side, rows) });
  const shares = joinedSections(inputs, await joinShares(ch, run, set, await pairFor(ch, run), {}));
  const correlations = await correlate(ch, { helper: null, demand: evaluateCost(2, disclosure), rng });
  const results = await evaluate(ch, correlations, disclosure, { layout: inputs, shares });
  const opened = await Promise.all(results.map((share, at) => openTogether(ch.fork(`open/${at}`), share, rng)));
  const figures = decode(openedLayout(disclosure), opened);
  const answer = finishAnswer({ job: '', checked, disclosure, opened: figures, round: strictness.round });
  for (const row of answer.rows) console.log(`${ch.self}: ${Object.entries(row).map(shown).join(', ')}`);
});

for (const outcome of outcomes.values()) if ('error' in outcome) throw outcome.error;
console.log(`${rounds} rounds, ${bytes.camden} bytes sent by camden and ${bytes['ncl-health']} by health`);

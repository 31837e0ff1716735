/**
 * The Palmer penguins, each island a party: bill length by species exactly and with noise, and the mean of all beside what
 * Lomas documents for the same birds. `npm run demo:penguins`
 *
 * Every party is a process with the records of its own island, and so is the coordinator between them, as under `folkmoot
 * run`. All files stand in a temporary folder; nothing is left behind.
 * @module
 */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Answer } from '@folkmoot/core/answer.js';
import { parseJob } from '@folkmoot/core/job.js';
import { compareFigures, coverageOf } from '../../packages/cli/src/agreement.ts';
import { renderAnswer } from '../../packages/cli/src/answer-text.ts';
import { readConsortium } from '../../packages/cli/src/consortium.ts';
import { onInterrupt } from '../../packages/cli/src/interrupt.ts';
import { createProgress } from '../../packages/cli/src/progress.ts';
import { withConsortium } from '../../packages/cli/src/running.ts';
import { temporaryFolder } from '../../packages/cli/src/throw-away.ts';
import { type Penguin, readPenguins } from './penguins.ts';

const islands = ['torgersen', 'biscoe', 'dream'];
const species = ['Adelie', 'Chinstrap', 'Gentoo'];

/** A mean of the client notebook of Lomas (dscc-admin-ch/lomas, SmartNoise-SQL): one number, without an interval. */
const lomas = { mean: 43.52, asked: 0.5, charged: 1.0 };

/** What is printed; the figures over all records at once are computed here in plain JavaScript. */
export async function demo(): Promise<{ text: string; isGood: boolean }> {
  const penguins = await readPenguins();
  const [exact, noisy, overall] = await ask(penguins);
  const pooled = species.map((name) => {
    const birds = penguins.filter((penguin) => penguin.species === name);
    return { species: name, penguins: figure(birds.length), bill_length: meanOf(birds) };
  });
  const agreement = compareFigures(exact!.rows, pooled);
  const isEqual = agreement.largestDifference < 1e-15;
  const { intervals, covering } = coverageOf(noisy!.rows, pooled);
  const beside = (answer: Answer, label: string, other: string, rows: readonly Readonly<Record<string, unknown>>[]) =>
    renderAnswer([
      { label, answer },
      { label: other, answer: { ...answer, rows, privacy: null } },
    ]);
  const text = [
    `${penguins.length} penguins of three islands; each island a party, none shows its records to another.`,
    beside(exact!, 'folkmoot', 'pooled', pooled),
    isEqual
      ? `All ${agreement.figures} figures equal those over the records of all islands at once.`
      : `Figures differ from those over the records of all islands at once, by up to ${agreement.largestDifference}.`,
    beside(noisy!, 'folkmoot', 'exact', pooled),
    `${covering} of ${intervals} intervals hold the exact figure; 95 of 100 do in the long run.`,
    besideLomas(overall!, meanOf(penguins).value),
  ].join('\n\n');
  return { text, isGood: isEqual };
}

/** Each island's folder with its records; then one question after the other. */
async function ask(penguins: readonly Penguin[]): Promise<Answer[]> {
  const { path: folder, remove } = await temporaryFolder();
  const { signal, release } = onInterrupt();
  try {
    await cp(import.meta.dirname, folder, { recursive: true, filter: (path) => !path.endsWith('.ts') });
    for (const island of islands) {
      const birds = penguins.filter((penguin) => penguin.island === island);
      const lines = birds.map(({ island: _, ...record }) => `${JSON.stringify(record)}\n`);
      await writeFile(join(folder, island, 'penguins.jsonl'), lines.join(''));
    }
    const names = ['exact', 'protected', 'overall'].map((name) => `jobs/${name}.yaml`);
    const jobs = await Promise.all(
      names.map(async (name) => parseJob(await readFile(join(folder, name), 'utf8'), name)),
    );
    const consortium = await readConsortium(folder);
    const setting = { consortium, analyst: undefined, needed: islands, approve: false, signal };
    const progress = createProgress(process.stderr);
    return await withConsortium(setting, async (running) => {
      const answers: Answer[] = [];
      for (const job of jobs) answers.push(await running.ask(job, progress));
      return answers;
    });
  } finally {
    release();
    remove();
  }
}

/** In tenths of a millimetre, as they were measured, so that the sum is exact. */
function meanOf(penguins: readonly Penguin[]) {
  const tenths = penguins.flatMap(({ bill_length: length }) => (length === null ? [] : [Math.round(length * 10)]));
  return figure(tenths.reduce((sum, each) => sum + each, 0) / (10 * tenths.length));
}

function figure(value: number) {
  return { value, exact: String(value) };
}

function besideLomas({ rows, privacy }: Answer, exact: number): string {
  const { value, ci95 } = rows[0]!.bill_length as { value: number; ci95: readonly [number, number] };
  const [low, high] = ci95.map((end) => end.toFixed(2));
  const { charged, collusion, honest } = privacy!;
  const deviation = Math.sqrt((collusion + honest) / honest);
  return [
    'The mean of all penguins, in two systems',
    '',
    `  exact     ${exact.toFixed(2)} mm`,
    `  folkmoot  ${value.toFixed(2)} mm, 95% [${low}, ${high}]; asked at ε = ${privacy!.epsilon}, charged ${charged.epsilon}`,
    `  Lomas     ${lomas.mean.toFixed(2)} mm, as its documentation shows; asked at ε = ${lomas.asked}, charged ${lomas.charged.toFixed(1)}`,
    '',
    'Lomas trusts one server. It reads the records of all islands, adds the noise and keeps the one budget; whoever runs it, or',
    'breaks into it, can read everything.',
    'Folkmoot has no such server. Each island keeps its own records and its own budget and adds its own part of the noise, and',
    `the promise holds here even if ${collusion} of the ${collusion + honest} islands and the analyst put together all they know. The price: noise of`,
    `${deviation.toFixed(2)} times the deviation that one server needs. What it does trust is that each island tells the truth about its`,
    'penguins and follows the protocol.',
  ].join('\n');
}

if (import.meta.main) {
  const { text, isGood } = await demo();
  console.log(text);
  process.exitCode = isGood ? 0 : 1;
}

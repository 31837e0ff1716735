/**
 * `npm run simulate -- --seeds N [--from S]`, `--seed S --trace`, `--mutants`.
 *
 * Prints how often each fault, state and end was reached, so that one sees that it reaches everything; and the number of
 * each seed that broke a promise, with the promise.
 * @module
 */
import { registerHooks } from 'node:module';
import { parseArgs } from 'node:util';

// Every import of the curve from here on is of the one with a memory.
registerHooks({
  resolve(specifier, context, next) {
    const isOurs = context.parentURL?.endsWith('/remembered-signatures.ts') === true;
    if (specifier !== '@noble/curves/ed25519.js' || isOurs) return next(specifier, context);
    return next(new URL('./remembered-signatures.ts', import.meta.url).href, context);
  },
});
const { makeStage, runSeed } = await import('./seed.ts');
const { mutants } = await import('./mutants.ts');

const { Ended } = await import('./process.ts');

// What a process had begun when it ended comes to nothing, and nobody waits for it.
process.on('unhandledRejection', (reason) => {
  if (!(reason instanceof Ended)) throw reason;
});

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    hash: { type: 'boolean', default: false },
    mutant: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    /** Goes on after a seed that failed. */
    all: { type: 'boolean', default: false },
  },
});

// Nobody reads where an error came from, unless one seed is looked at; and to find that out takes time.
if (values.seed === undefined) Error.stackTraceLimit = 0;

const mutant = values.mutant === undefined ? undefined : mutants[values.mutant];
if (values.mutant !== undefined && mutant === undefined) {
  throw new Error(`no such mutant; there are: ${Object.keys(mutants).join(', ')}`);
}
const stage = await makeStage();
const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
process.exitCode = (values.mutants ? await runMutants() : await runSeeds()) ? 0 : 1;

/** Whether every promise was kept. */
async function runSeeds(): Promise<boolean> {
  const total = new Map<string, number>();
  const beganMs = performance.now();
  let [done, failed] = [0, 0];
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await runSeed(stage, seed, {
      ...(mutant === undefined ? {} : { mutant }),
      ...(values.trace ? { print: (line: string) => console.log(line) } : {}),
      hash: values.hash,
    });
    done++;
    for (const [what, often] of outcome.tally) total.set(what, (total.get(what) ?? 0) + often);
    if (values.hash) console.log(`seed ${seed} ${outcome.traceHash}`);
    if (outcome.violation !== undefined) {
      failed++;
      console.log(`seed ${seed} failed ${outcome.violation}`);
      if (!values.all) break;
    }
    if (done % 500 === 0) console.error(`${done} seeds, ${failed} failed`);
  }
  const seconds = (performance.now() - beganMs) / 1_000;
  for (const [what, often] of [...total].sort()) console.log(`${String(often).padStart(8)} ${what}`);
  console.log(`${done} seeds in ${seconds.toFixed(1)} s, ${failed} failed`);
  return failed === 0;
}

/** Whether every mutant was noticed. */
async function runMutants(): Promise<boolean> {
  let all = true;
  for (const [name, each] of Object.entries(mutants)) {
    let noticed: number | undefined;
    const from = each.from ?? first;
    for (let seed = from; seed < from + count && noticed === undefined; seed++) {
      const { violation } = await runSeed(stage, seed, { mutant: each });
      if (violation === undefined) continue;
      noticed = seed;
      console.log(`${name}: noticed by seed ${seed}, ${violation}`);
    }
    if (noticed === undefined) console.log(`${name}: unnoticed by ${count} seeds`);
    all &&= noticed !== undefined;
  }
  return all;
}

/**
 * One seed: a consortium from its first second to the end of all its jobs.
 * @module
 */
import { TransportError } from '@folkmoot/core/errors.js';
import type Database from 'better-sqlite3';
import { pino } from 'pino';
import { prepareDatabase as prepareCoordinatorDatabase } from '../../packages/coordinator/src/sqlite-database.ts';
import { prepareDatabase as prepareNodeDatabase } from '../../packages/node/src/database.ts';
import { Analyst } from './analyst.ts';
import { Chance } from './chance.ts';
import { drawFaults, drawFocus, type Faults } from './faults.ts';
import { Liar } from './liar.ts';
import { type AskedJob, lifetimeMs, type Moot, makeMoot, type Party, parties, startMs } from './moot.ts';
import type { Mutant } from './mutants.ts';
import { type SeedDatabase, seedDatabase } from './seed-database.ts';
import { hasNoOpenJob, SimulatedCoordinator } from './simulated-coordinator.ts';
import { inspect, SimulatedNode } from './simulated-node.ts';
import { openLink } from './wire.ts';
import { Witness } from './witness.ts';
import { World } from './world.ts';

/** What all seeds have in common; made once. */
export interface Stage {
  readonly moot: Moot;
  readonly coordinator: SeedDatabase;
  readonly nodes: Readonly<Record<Party, SeedDatabase>>;
}

export interface Outcome {
  readonly seed: number;
  readonly violation: string | undefined;
  readonly tally: ReadonlyMap<string, number>;
  readonly traceHash: string | undefined;
}

export interface SeedOptions {
  readonly mutant?: Mutant;
  readonly print?: (line: string) => void;
  readonly hash?: boolean;
}

/** Clocks differ by 60 s at the end, and 120 s are granted. */
const slackMs = 60_000 + 120_000 + 30_000;

/** Whether all has ended is looked at so often; where faults go on, it is to stay so for another 10 s. */
const lookMs = 2_500;
const endedLooksMin = 4;

export async function makeStage(): Promise<Stage> {
  const node = () => seedDatabase(prepareNodeDatabase);
  return {
    moot: await makeMoot(),
    coordinator: seedDatabase(prepareCoordinatorDatabase),
    nodes: { ash: node(), elm: node(), oak: node() },
  };
}

/** What ends a job for good at the party where it strikes, whatever another one has opened. */
const finalFaults = ['drop', 'repeat', 'reorder', 'failBefore'] as const;

/** The disks are looked at in so many seeds: it is the slowest look. */
const disksEvery = 10;

const log = pino({ level: 'silent' });

export async function runSeed(stage: Stage, seed: number, options: SeedOptions = {}): Promise<Outcome> {
  const databases = [stage.coordinator, ...Object.values(stage.nodes)];
  for (const one of databases) one.begin();
  const outcome = await run(stage, seed, options);
  for (const one of databases) one.end();
  return outcome;
}

async function run(
  { moot, coordinator: shared, nodes: own }: Stage,
  seed: number,
  options: SeedOptions,
): Promise<Outcome> {
  const { mutant = {}, print, hash } = options;
  const chance = new Chance(seed);
  const faults = drawFaults(chance);
  const focus = drawFocus(chance);
  const world = new World(chance, { faults, focus }, startMs, { print, hash });
  world.trace(
    `seed ${seed}: ${JSON.stringify(Object.fromEntries(Object.entries(faults).filter(([, often]) => often > 0)))} ${JSON.stringify(focus)}`,
  );
  const witness = new Witness(world);
  const liar = new Liar(world, moot);
  // One of four seeds has two coordinators on one database.
  const names = chance.hits(0.25) ? ['coordinator', 'coordinator 2'] : ['coordinator'];
  const { db } = shared;
  const isShared = names.length > 1;
  const coordinators = names.map((name) => new SimulatedCoordinator({ world, moot, name, db, isShared, log }));
  const isAudited = chance.hits(0.1);
  const nodes = parties.map((party) => {
    const inspected = inspect(world, witness, moot, party);
    return new SimulatedNode({
      ...{ world, witness, moot, party, db: own[party].db, log, mutant, isAudited },
      coordinators: names,
      async dial(process, name) {
        const coordinator = coordinators.find((one) => one.name === name)!;
        const listening = coordinator.process;
        if (listening === undefined) throw new TransportError('UNREACHABLE');
        const relayed = liar.relayed();
        const fromNode = (frame: Uint8Array) => {
          inspected(frame);
          return relayed(frame);
        };
        const pair = openLink(world, process, listening, { toNode: liar.toNode(party), fromNode });
        coordinator.accept(pair.coordinator);
        return pair.node;
      },
    });
  });
  const analyst = new Analyst({
    world,
    witness,
    charter: moot.charter,
    coordinator: () => chance.pick(coordinators).coordinator,
  });

  for (const coordinator of coordinators) coordinator.start();
  for (const node of nodes) world.after(chance.between(0, 3_000), () => node.start());
  const asked = drawJobs(moot, chance);
  for (const job of asked) analyst.ask(job, chance.between(0, 20_000));
  world.every(5_000, () => {
    for (const name of [...parties, ...names]) if (world.hits('clockJump')) world.jump(name);
    for (const node of nodes) if (world.hits('newRecords')) node.renew();
    for (const one of [...nodes, ...coordinators]) {
      if (world.hits('pause')) one.process?.pause(chance.between(3_000, 60_000));
    }
  });
  world.after(chance.between(30_000, 90_000), () => {
    // An hour is put right by whoever runs the machine, and the process with it; what clocks may differ by stays.
    for (const one of [...nodes, ...coordinators]) if (world.isFarOff(one.name)) one.process?.end();
    world.calm();
  });
  let [isOver, endedLooks] = [false, 0];
  world.every(lookMs, () => {
    const hasEnded = analyst.isDone && hasNoOpenJob(db) && nodes.every((node) => node.isIdle);
    endedLooks = hasEnded ? endedLooks + 1 : 0;
    isOver = hasEnded && (world.isCalm || endedLooks > endedLooksMin);
  });
  await world.run(lifetimeMs + slackMs, () => isOver);

  if (!isOver && world.violation === undefined) {
    const open = nodes.filter((node) => !node.isIdle).map(({ party }) => party);
    world.broken(`not everything has ended: ${[...open, hasNoOpenJob(db) ? '' : 'coordinator'].join(' ')}`);
  }
  if (world.violation === undefined) {
    const isQuiet = focus === undefined && (Object.values(faults).every((often) => often === 0) || onlyDelays(faults));
    // A party that was told that its disk failed does not open, whatever stands on it.
    const mayBeLost = world.has('failAfter') || world.has('lie') || world.has('clockJump') || world.has('corrupt');
    // Where nothing but links and processes failed, what one has opened all the others open too.
    const isHandedOn = !mayBeLost && finalFaults.every((fault) => !world.has(fault));
    for (const [job, end] of analyst.ends) {
      const isAlone = isHandedOn && end !== 'DONE' && witness.isOpened(job);
      world.expect(!isAlone, () => `a party has opened ${job}, and it ended as ${end}`);
      // What all have opened arrives, however often it has to be sent.
      const arrives = end === 'DONE' || mayBeLost || !witness.isOpenedByAll(job);
      world.expect(arrives, () => `all have opened ${job}, and it ended as ${end}`);
      world.expect(
        !isQuiet || end === 'DONE' || mayBeRefused(asked),
        () => `nothing failed, and ${job} ended as ${end}`,
      );
    }
    for (const node of nodes) {
      if (!isAudited) break;
      world.count('audit');
      const findings = node.audit();
      world.expect(
        findings.length === 0,
        () => `the audit log of ${node.party} does not hold: ${JSON.stringify(findings)}`,
      );
    }
    if (seed % disksEvery === 0) lookAtDisks(witness, db, nodes);
  }
  return { seed, violation: world.violation, tally: world.tally, traceHash: world.traceHash() };
}

const onlyDelays = ({ delay: _, ...others }: Faults): boolean => Object.values(others).every((often) => often === 0);

/** Three questions cost more than the budget has. */
const mayBeRefused = (asked: readonly AskedJob[]): boolean => asked.filter(({ isProtected }) => isProtected).length > 2;

/** One job in most seeds; sometimes two or three at once, or the same question twice. */
function drawJobs({ jobs }: Moot, chance: Chance): readonly AskedJob[] {
  const [first, same, second, third] = jobs.protected;
  return chance.pick([
    [jobs.exact[0]!],
    [jobs.exact[0]!],
    [jobs.exact[0]!],
    [first!],
    [first!],
    [first!],
    [first!],
    [first!, same!],
    [first!, jobs.exact[1]!],
    [first!, second!, third!],
  ]);
}

/** What stands on the disks is what may stand there. */
function lookAtDisks(witness: Witness, coordinator: Database.Database, nodes: readonly SimulatedNode[]): void {
  witness.sees('the coordinator’s database', coordinator.serialize());
  for (const { party, db } of nodes) witness.sees(`the database of ${party}`, db.serialize());
}

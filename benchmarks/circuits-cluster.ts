/**
 * The processes of `circuits` and `psi` from the parent's side: it starts them, runs stage after stage at all of them at
 * once, and reads what each took.
 *
 * A stage's time is the wall clock's, from the word go to the last answer. Processor seconds are those of all processes,
 * relay and links included: unlike the wall clock's they hardly grow where the machine has other work.
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { type Order, type Reading, type Run, rosterOf, type Setting, type Stage } from './circuits-process.ts';

/** One row: how many of what. */
export type Task = Omit<Run, 'number'>;

export interface Measurement extends Task {
  readonly setting: Setting;
  /** Base OTs, which are made anew in each run. */
  readonly base: number;
  /** Correlations, without base OTs. */
  readonly preprocessing: number;
  readonly online: number;
  /** Of all processes, from the base OTs to the result. */
  readonly cpu: number;
  /** Of all parties and the dealer, from the base OTs to the result. */
  readonly preprocessingBytes: number;
  readonly onlineBytes: number;
  /** Of the party that held the most, so far. */
  readonly peak: number;
}

/** Runs of a row: three, or as many as begin within so many seconds. */
const runsMax = 3;
const runsSeconds = 3;

/** Cores that the processes may use; all where it is left out. It takes `taskset`, which Linux has. */
export type Cores = '0' | undefined;

export class Cluster {
  readonly #setting: Setting;
  readonly #cores: Cores;
  readonly #children: ChildProcess[] = [];
  readonly #parties: ChildProcess[] = [];
  #runs = 0;

  private constructor(setting: Setting, cores: Cores) {
    this.#setting = setting;
    this.#cores = cores;
  }

  static async start(setting: Setting, cores?: Cores): Promise<Cluster> {
    const cluster = new Cluster(setting, cores);
    const [relay] = await cluster.#fork('relay');
    const roster = rosterOf(setting);
    if (setting.road === 'direct') return cluster.#startDirect(roster);
    const urls = setting.link === null ? roster.map(() => relay!) : await cluster.#fork('links', relay);
    const before = cluster.#children.length;
    await Promise.all(roster.map((party, i) => cluster.#fork(party, urls[i])));
    cluster.#parties.push(...cluster.#children.slice(before));
    return cluster;
  }

  /** Each is told of those before it, and the relay rests. */
  async #startDirect(roster: readonly string[]): Promise<this> {
    const urls: Record<string, string> = {};
    for (const party of roster) {
      [urls[party]] = (await this.#fork(party, JSON.stringify(urls))) as [string];
      this.#parties.push(this.#children.at(-1)!);
    }
    return this;
  }

  /** One run for each, so that what follows finds warm code; then rows one after the other, the smallest first. */
  async measureAll(tasks: readonly Task[]): Promise<Measurement[]> {
    const warming = new Map(tasks.toReversed().map((task) => [task.work, task]));
    for (const { work, count } of warming.values()) await this.#run({ work, count: Math.min(count, 1000) });
    const rows: Measurement[] = [];
    for (const task of tasks) rows.push(await this.#measure(task));
    return rows;
  }

  /** The run with the median time. */
  async #measure(task: Task): Promise<Measurement> {
    const runs: Measurement[] = [];
    const begin = performance.now();
    do runs.push(await this.#run(task));
    while (runs.length < runsMax && performance.now() - begin < 1000 * runsSeconds);
    const byTime = runs.toSorted((a, b) => a.preprocessing + a.online - (b.preprocessing + b.online));
    // The first run's peak has nothing of the ones after it.
    return { ...byTime[Math.floor(runs.length / 2)]!, peak: runs[0]!.peak };
  }

  close(): void {
    for (const child of this.#children) child.kill();
  }

  async #run(task: Task): Promise<Measurement> {
    const run: Run = { ...task, number: this.#runs++ };
    await this.#stage('prepare', run);
    await this.#stage('connect', run);
    const before = await this.#readings();
    const preprocess = await this.#stage('preprocess', run);
    const between = await this.#readings();
    const online = await this.#stage('online', run);
    const after = await this.#readings();
    await this.#stage('check', run);
    const base = Math.max(...between.parties.map(({ baseSeconds }) => baseSeconds));
    return {
      ...task,
      setting: this.#setting,
      base,
      preprocessing: preprocess - base,
      online,
      cpu: after.cpu - before.cpu,
      preprocessingBytes: between.bytes - before.bytes,
      onlineBytes: after.bytes - between.bytes,
      peak: Math.max(...after.parties.map(({ peakBytes }) => peakBytes)),
    };
  }

  /** Resolves to the seconds until all have answered. The relay is told before the parties. */
  async #stage(stage: Stage, run: Run): Promise<number> {
    const order: Order = { what: 'stage', stage, run };
    if (stage === 'prepare') await this.#tell(this.#children[0]!, order);
    const begin = performance.now();
    await Promise.all(this.#parties.map((party) => this.#tell(party, order)));
    return (performance.now() - begin) / 1000;
  }

  async #readings(): Promise<{ parties: Reading[]; cpu: number; bytes: number }> {
    const all = await Promise.all(this.#children.map((child) => this.#tell(child, { what: 'read' })));
    const parties = all.slice(-this.#parties.length);
    return {
      parties,
      cpu: all.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
      bytes: parties.reduce((sum, { bytesSent }) => sum + bytesSent, 0),
    };
  }

  #tell(child: ChildProcess, order: Order): Promise<Reading> {
    const answer = this.#answer<Reading>(child);
    child.send(order);
    return answer;
  }

  async #fork(role: string, url?: string): Promise<string[]> {
    const args = [role, JSON.stringify(this.#setting), ...(url === undefined ? [] : [url])];
    const pinned = { execPath: 'taskset', execArgv: ['-c', this.#cores!, process.execPath, ...process.execArgv] };
    const free = { execArgv: process.execArgv };
    const file = join(import.meta.dirname, 'circuits-process.ts');
    const child = fork(file, args, this.#cores === undefined ? free : pinned);
    this.#children.push(child);
    const { urls } = await this.#answer<{ urls: string[] }>(child);
    return urls;
  }

  /** The next word of a process. One that ends instead ends the benchmark. */
  #answer<T>(child: ChildProcess): Promise<T> {
    return new Promise((resolve, reject) => {
      const onExit = () => reject(new Error('a process of the cluster has ended'));
      child.once('exit', onExit);
      child.once('message', (message) => {
        child.off('exit', onExit);
        resolve(message as T);
      });
    });
  }
}

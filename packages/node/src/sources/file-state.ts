/**
 * What a file is at one moment: size, time, inode and SHA-256 of its bytes; and a pass over its bytes for whoever looks.
 * @module
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { SourceError } from '@folkmoot/core/errors.js';

/** Large enough for hashing at full speed, small beside any table. */
const chunkBytes = 1 << 20;

export interface FileState {
  readonly size: bigint;
  readonly modifiedNs: bigint;
  readonly inode: bigint;
  readonly sha256: string;
}

/**
 * Reads the file through once; `see` gets every chunk, valid only during the call.
 * @throws SourceError SOURCE_UNREACHABLE, naming the path as it was configured
 */
export async function readState(path: string, shown: string, see?: (chunk: Buffer) => void): Promise<FileState> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { size, mtimeNs, ino } = await file.stat({ bigint: true });
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(chunkBytes);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, chunkBytes);
      if (bytesRead === 0) break;
      const chunk = buffer.subarray(0, bytesRead);
      hash.update(chunk);
      see?.(chunk);
    }
    return { size, modifiedNs: mtimeNs, inode: ino, sha256: hash.digest('hex') };
  } catch (error) {
    // What `see` throws stays what it is.
    const reason = (error as NodeJS.ErrnoException).code;
    if (error instanceof SourceError || reason === undefined) throw error;
    throw new SourceError('SOURCE_UNREACHABLE', { detail: `the file \`${shown}\` cannot be read (${reason})` });
  } finally {
    await file?.close();
  }
}

export function sameState(a: FileState, b: FileState): boolean {
  return a.size === b.size && a.modifiedNs === b.modifiedNs && a.inode === b.inode && a.sha256 === b.sha256;
}

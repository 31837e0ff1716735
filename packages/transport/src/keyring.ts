/**
 * The keys of one member, in a folder: `secret.json` (mode 0600; its seeds wrapped where the owner set a passphrase) and
 * `public.json`, which goes into the charter.
 *
 * A party has an Ed25519 identity (signatures), an X25519 static key (Noise sessions) and a node seed, from which keys
 * that never leave the node are derived. An analyst has an identity and an X-Wing recipient key (sealed answers). An
 * approver, a person at a party who decides on jobs, has an identity alone; it stands in node.yaml and in no charter.
 *
 * Security  mode 0600 protects nothing on a stolen disk; a passphrase does: scrypt (N 2^17, r 8, p 1: 128 MiB and about
 *           half a second a guess) and AES-256-GCM
 * @module
 */
import { createCipheriv, createDecipheriv, scryptSync } from 'node:crypto';
import { chmod, mkdir, open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromHex, toHex, utf8 } from '@folkmoot/core/bytes.js';
import { CharterError } from '@folkmoot/core/errors.js';
import { z } from 'zod';
import { recipientKey } from './envelope.ts';
import { privateKeyObject, rawPublicKey } from './key-object.ts';

export interface PartyKeys {
  readonly kind: 'party';
  readonly secret: { readonly identity: Uint8Array; readonly static: Uint8Array; readonly node: Uint8Array };
  readonly public: { readonly identity: string; readonly static: string };
}

export interface AnalystKeys {
  readonly kind: 'analyst';
  readonly secret: { readonly identity: Uint8Array; readonly recipient: Uint8Array };
  readonly public: { readonly identity: string; readonly recipient: string };
}

export interface ApproverKeys {
  readonly kind: 'approver';
  readonly secret: { readonly identity: Uint8Array };
  readonly public: { readonly identity: string };
}

export type Keys = PartyKeys | AnalystKeys | ApproverKeys;

const kinds = ['party', 'analyst', 'approver'] as const satisfies readonly Keys['kind'][];
const seedNames = {
  party: ['identity', 'static', 'node'],
  analyst: ['identity', 'recipient'],
  approver: ['identity'],
} as const;
const seedBytes = 32;
const scryptCost = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 } as const;

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const seeds = z.record(z.string(), hex(seedBytes));
const wrapped = z.strictObject({ kdf: z.literal('scrypt-17-8-1'), salt: hex(16), nonce: hex(12), box: z.string() });
const secretFile = z.strictObject({
  folkmoot: z.literal(1),
  kind: z.enum(kinds),
  seeds: z.union([seeds, z.strictObject({ wrapped })]),
});

export function makeKeys(kind: 'party', randomBytes: (n: number) => Uint8Array): Promise<PartyKeys>;
export function makeKeys(kind: 'analyst', randomBytes: (n: number) => Uint8Array): Promise<AnalystKeys>;
export function makeKeys(kind: 'approver', randomBytes: (n: number) => Uint8Array): Promise<ApproverKeys>;
export function makeKeys(kind: Keys['kind'], randomBytes: (n: number) => Uint8Array): Promise<Keys>;
export async function makeKeys(kind: Keys['kind'], randomBytes: (n: number) => Uint8Array): Promise<Keys> {
  return withPublicKeys(kind, () => randomBytes(seedBytes));
}

/**
 * Writes both files of a new key folder. Keys that are there already are never overwritten.
 * @throws CharterError KEY_FILE_INVALID
 */
export async function writeKeys(
  folder: string,
  keys: Keys,
  seal?: { readonly passphrase: string; readonly randomBytes: (n: number) => Uint8Array },
): Promise<void> {
  const plain = Object.fromEntries(Object.entries(keys.secret).map(([name, seed]) => [name, toHex(seed)]));
  const stored = seal === undefined ? plain : { wrapped: wrap(plain, keys.kind, seal.passphrase, seal.randomBytes) };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = await open(join(folder, 'secret.json'), 'wx', 0o600).catch((cause: unknown) => {
    throw invalid(folder, 'there are keys already, or the folder cannot be written', cause);
  });
  try {
    await file.writeFile(`${JSON.stringify({ folkmoot: 1, kind: keys.kind, seeds: stored }, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  const publicFile = join(folder, 'public.json');
  await writeFile(publicFile, `${JSON.stringify({ folkmoot: 1, kind: keys.kind, ...keys.public }, null, 2)}\n`);
  await chmod(publicFile, 0o644);
}

/**
 * The keys in a folder. Public keys are computed from the seeds; `public.json` is not trusted.
 * @throws CharterError KEY_FILE_EXPOSED, KEY_FILE_INVALID
 */
export async function readKeys(folder: string, passphrase?: string): Promise<Keys> {
  const path = join(folder, 'secret.json');
  const text = await readPrivate(path);
  let file: z.infer<typeof secretFile>;
  let stored: Record<string, string>;
  try {
    file = secretFile.parse(JSON.parse(text));
    stored = isWrapped(file.seeds) ? unwrap(file.seeds.wrapped, file.kind, passphrase) : file.seeds;
  } catch (cause) {
    // The cause may quote the file, and the file is secret: only what we said ourselves is passed on.
    throw cause instanceof CharterError ? cause : invalid(path, 'it does not have the form of a key file');
  }
  const names: readonly string[] = seedNames[file.kind];
  const complete = Object.keys(stored).length === names.length && names.every((name) => Object.hasOwn(stored, name));
  if (!complete) throw invalid(path, 'it does not hold the keys of its kind');
  return withPublicKeys(file.kind, (name) => fromHex(stored[name]!));
}

/** Whether the folder's seeds are wrapped by a passphrase. @throws as readKeys does */
export async function needsPassphrase(folder: string): Promise<boolean> {
  const path = join(folder, 'secret.json');
  const text = await readPrivate(path);
  try {
    return isWrapped(secretFile.parse(JSON.parse(text)).seeds);
  } catch {
    throw invalid(path, 'it does not have the form of a key file');
  }
}

async function readPrivate(path: string): Promise<string> {
  try {
    const { mode } = await stat(path);
    // Windows has no such bits; there the folder's access list decides.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new CharterError('KEY_FILE_EXPOSED', { field: path, remedy: `run \`chmod 600 ${path}\`` });
    }
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw cause instanceof CharterError ? cause : invalid(path, 'it cannot be read', cause);
  }
}

async function withPublicKeys(kind: Keys['kind'], seedOf: (name: string) => Uint8Array): Promise<Keys> {
  const identity = seedOf('identity');
  const publicIdentity = toHex(rawPublicKey(privateKeyObject('ed25519', identity)));
  if (kind === 'party') {
    const secret = { identity, static: seedOf('static'), node: seedOf('node') };
    const publicStatic = toHex(rawPublicKey(privateKeyObject('x25519', secret.static)));
    return { kind, secret, public: { identity: publicIdentity, static: publicStatic } };
  }
  if (kind === 'approver') return { kind, secret: { identity }, public: { identity: publicIdentity } };
  const secret = { identity, recipient: seedOf('recipient') };
  return { kind, secret, public: { identity: publicIdentity, recipient: await recipientKey(secret.recipient) } };
}

type Wrapped = z.infer<typeof wrapped>;

function isWrapped(stored: z.infer<typeof secretFile>['seeds']): stored is { wrapped: Wrapped } {
  return typeof stored.wrapped === 'object';
}

function wrap(plain: object, kind: string, passphrase: string, randomBytes: (n: number) => Uint8Array): Wrapped {
  const [salt, nonce] = [randomBytes(16), randomBytes(12)];
  const cipher = createCipheriv('aes-256-gcm', passphraseKey(passphrase, salt), nonce);
  cipher.setAAD(utf8(`folkmoot keys v1 ${kind}`));
  const box = Buffer.concat([cipher.update(JSON.stringify(plain), 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { kdf: 'scrypt-17-8-1', salt: toHex(salt), nonce: toHex(nonce), box: toHex(box) };
}

function unwrap(stored: Wrapped, kind: string, passphrase: string | undefined): Record<string, string> {
  if (passphrase === undefined) throw new CharterError('KEY_FILE_INVALID', { detail: 'it needs a passphrase' });
  const box = fromHex(stored.box);
  const decipher = createDecipheriv(
    'aes-256-gcm',
    passphraseKey(passphrase, fromHex(stored.salt)),
    fromHex(stored.nonce),
  );
  decipher.setAAD(utf8(`folkmoot keys v1 ${kind}`));
  try {
    decipher.setAuthTag(box.subarray(-16));
    return seeds.parse(JSON.parse(Buffer.concat([decipher.update(box.subarray(0, -16)), decipher.final()]).toString()));
  } catch {
    throw new CharterError('KEY_FILE_INVALID', { detail: 'the passphrase does not fit' });
  }
}

function passphraseKey(passphrase: string, salt: Uint8Array): Buffer {
  return scryptSync(passphrase.normalize('NFKC'), salt, 32, scryptCost);
}

function invalid(field: string, detail: string, cause?: unknown): CharterError {
  return new CharterError('KEY_FILE_INVALID', { field, detail, cause });
}

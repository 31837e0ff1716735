/**
 * `folkmoot charter seal`: puts the members' public keys into a charter and signs it with every secret that is here.
 *
 * One machine that has all public keys does the first run; then each party runs it again with its own secret, on the
 * file it was given. A signature stands only as long as nothing changes: another key, and all must sign again.
 * @module
 */
import { dirname, resolve } from 'node:path';
import {
  type Charter,
  charterHash,
  charterText,
  checkKeys,
  fingerprint,
  parseCharter,
  withKeys,
} from '@folkmoot/core/charter.js';
import { charterStanding, standingText } from '../charter-standing.ts';
import type { CommandSpec } from '../command.ts';
import { readPassphrase, readText, readTextIfThere, writeWhole } from '../files.ts';
import { keyFolders, type MemberKeys, readMemberKeys } from '../member-keys.ts';

interface Options {
  readonly out?: string;
  readonly party?: readonly string[];
  readonly analyst?: readonly string[];
  readonly passphraseFile?: string;
}

export const charterSeal: CommandSpec<Options> = {
  summary: 'add public keys to a charter, and sign it with the secrets that are here',
  arguments: [['<charter>', 'charter.yaml, or a charter.json that lacks signatures']],
  options: [
    { flags: '--out <file>', text: 'the sealed charter (default: charter.json beside the charter)' },
    { flags: '--party <id=folder...>', text: 'a party’s key folder (default: <id>/keys beside the charter)' },
    { flags: '--analyst <id=folder...>', text: 'an analyst’s key folder (default: <id>/keys beside the charter)' },
    { flags: '--passphrase-file <file>', text: 'unwraps the secrets that are wrapped' },
  ],
  examples: [
    'folkmoot charter seal charter.yaml',
    'folkmoot charter seal charter.yaml --party camden=/srv/camden/keys --analyst housing-analytics=./public',
  ],
  async run({ output, cwd }, [file = ''], options) {
    const path = resolve(cwd, file);
    const out = resolve(cwd, options.out ?? `${dirname(path)}/charter.json`);
    const given = parseCharter(await readText(path), file);
    const passphrase = await readPassphrase(options.passphraseFile);
    const folders = keyFolders({
      charter: given,
      beside: dirname(path),
      cwd,
      parties: options.party ?? [],
      analysts: options.analyst ?? [],
    });
    const keys = new Map<string, MemberKeys>();
    for (const [id, folder] of folders) keys.set(id, await readMemberKeys(id, folder, passphrase));

    const before = await readTextIfThere(out);
    let charter = withAllKeys(given, keys, before === undefined ? undefined : parseCharter(before, out));
    checkKeys(charter);
    const { partiesWithoutKeys } = charterStanding(charter);
    // A key that comes later would void the signatures, so nobody signs before all parties' keys are in.
    if (partiesWithoutKeys.length === 0) {
      for (const [id, { signCharter }] of keys) {
        if (id in charter.parties && signCharter !== undefined) charter = signCharter(charter);
      }
    }
    await writeWhole(out, charterText(charter));
    const standing = charterStanding(charter);
    const locked = [...keys]
      .filter(([id, { isLocked }]) => isLocked === true && id in charter.parties)
      .map(([id]) => id);
    output.result(
      { charter: out, hash: charterHash(charter), fingerprint: fingerprint(charter), ...standing, locked },
      [
        `${standing.isSealed ? 'Sealed' : 'Written, not yet sealed'}: ${out}`,
        standingText(charter, standing),
        ...(locked.length > 0 ? [`Needs --passphrase-file: ${locked.join(', ')}`] : []),
      ].join('\n'),
    );
    return undefined;
  },
};

/** Keys from the folders, then from the file sealed so far; its signatures are kept while the hash is the same. */
function withAllKeys(given: Charter, keys: ReadonlyMap<string, MemberKeys>, before: Charter | undefined): Charter {
  let charter = given;
  for (const group of ['parties', 'analysts'] as const) {
    for (const [id, member] of Object.entries(given[group])) {
      const earlier = before?.[group][id];
      const found =
        keys.get(id)?.public ??
        (earlier?.identity === undefined ? undefined : { ...earlier, identity: earlier.identity });
      if (found === undefined || sameKeys(member, found)) continue;
      charter = withKeys(charter, id, found);
    }
  }
  const isSame = before !== undefined && charterHash(before) === charterHash(charter);
  const signatures = { ...(isSame ? before.signatures : {}), ...charter.signatures };
  return Object.keys(signatures).length > 0 ? { ...charter, signatures } : charter;
}

type MaybeKeys = { readonly [K in 'identity' | 'static' | 'recipient']?: string | undefined };

function sameKeys(a: MaybeKeys, b: MaybeKeys): boolean {
  return a.identity === b.identity && a.static === b.static && a.recipient === b.recipient;
}

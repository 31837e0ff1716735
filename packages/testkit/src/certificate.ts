/**
 * A certificate that signs itself (X.509 v3, Ed25519), for servers that tests talk to over TLS: written by hand, since
 * Node reads certificates and makes none.
 * @module
 */
import { generateKeyPairSync, sign } from 'node:crypto';

export interface Certificate {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
}

function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(contents);
  const size = body.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}
const sequence = (...contents: readonly Uint8Array[]) => der(0x30, ...contents);
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));
const integer = (n: number) => der(0x02, Buffer.from([n]));
const text = (words: string) => der(0x0c, Buffer.from(words));
/** YYYYMMDDHHMMSSZ */
const time = (ms: number) => der(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/\D/g, '').slice(0, 14)}Z`));

const ed25519 = sequence(oid('2b6570'));
const commonName = '550403';
const subjectAltName = '551d11';
const basicConstraints = '551d13';

/** For `localhost` and 127.0.0.1, from now until then; it is its own authority. */
export function selfSigned(untilMs: number): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const name = sequence(der(0x31, sequence(oid(commonName), text('localhost'))));
  const names = sequence(der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1])));
  const isAuthority = sequence(der(0x01, Buffer.from([0xff])));
  const extension = (id: string, value: Uint8Array) => sequence(oid(id), der(0x04, value));
  const statement = sequence(
    der(0xa0, integer(2)),
    integer(1),
    ed25519,
    name,
    sequence(time(Math.min(Date.now(), untilMs) - 86_400_000), time(untilMs)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(extension(basicConstraints, isAuthority), extension(subjectAltName, names))),
  );
  const signature = der(0x03, Buffer.from([0]), sign(null, statement, privateKey));
  const base64 = sequence(statement, ed25519, signature).toString('base64').replace(/.{64}/g, '$&\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
  };
}

/**
 * The ways in which bytes of a record could stand in a text, a frame or a file: what a search for planted values looks for.
 * @module
 */

/** All the ways in which these bytes could stand in a text or a file. */
export function guises(bytes: Buffer): Buffer[] {
  // Base64 of a part of a message depends on where it begins: all three, without the characters that neighbours change.
  const base64 = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    return text.slice(Math.ceil((before * 4) / 3), Math.floor(((before + bytes.length) * 4) / 3) - 1);
  });
  const utf16 = Buffer.from(bytes.toString('latin1'), 'utf16le');
  const texts = [bytes.toString('hex'), bytes.toString('hex').toUpperCase(), ...base64];
  return [
    bytes,
    ...texts.map((text) => Buffer.from(text)),
    ...texts.map((text) => Buffer.from(text.replaceAll('+', '-').replaceAll('/', '_'))),
    utf16,
    Buffer.from(utf16).swap16(),
  ];
}

/** An integer as an element of a ring of 64 bits. */
export function word(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

/** The names of the secrets that stand in it, in whatever guise. */
export function found(hay: Buffer, needles: readonly (readonly [string, Buffer])[]): string[] {
  return needles.filter(([, bytes]) => guises(bytes).some((guise) => hay.includes(guise))).map(([name]) => name);
}

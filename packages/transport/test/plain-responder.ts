import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';

/**
 * The responder's end of a handshake once more, in one straight line after DESIGN §5 and the Noise specification, with
 * nothing shared with the code under test.
 */
export function plainResponder(options: {
  readonly prologue: Buffer;
  readonly ownStatic: KeyObject;
  readonly peerStatic: KeyObject;
  readonly message1: Buffer;
}): { message2: Buffer; receiveKey: Buffer; sendKey: Buffer; exporter: Buffer } {
  const { prologue, ownStatic, peerStatic, message1 } = options;
  const H = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
  const mac = (key: Buffer, data: Uint8Array) => createHmac('sha256', key).update(data).digest();
  const outputs = (ck: Buffer, input: Uint8Array): [Buffer, Buffer, Buffer] => {
    const key = mac(ck, input);
    const one = mac(key, Buffer.from([1]));
    const two = mac(key, Buffer.concat([one, Buffer.from([2])]));
    return [one, two, mac(key, Buffer.concat([two, Buffer.from([3])]))];
  };
  const dh = (own: KeyObject, theirs: KeyObject) => diffieHellman({ privateKey: own, publicKey: theirs });
  const raw = (key: KeyObject) => Buffer.from(key.export({ format: 'jwk' }).x!, 'base64url');
  const imported = (x: Buffer) =>
    createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: x.toString('base64url') }, format: 'jwk' });
  const nonce = Buffer.alloc(12);

  // Before the messages: both static keys are known.
  let ck: Buffer = Buffer.from('Noise_KKpsk2_25519_AESGCM_SHA256');
  let h: Buffer = H(ck, prologue);
  h = H(h, raw(peerStatic));
  h = H(h, raw(createPublicKey(ownStatic)));

  // -> e, es, ss, and the encapsulation key.
  const e = message1.subarray(0, 32);
  h = H(h, e);
  [ck] = outputs(ck, e);
  [ck] = outputs(ck, dh(ownStatic, imported(e)));
  const [afterSs, opening] = outputs(ck, dh(ownStatic, peerStatic));
  ck = afterSs;
  const decipher = createDecipheriv('aes-256-gcm', opening, nonce, { authTagLength: 16 });
  decipher.setAAD(h);
  decipher.setAuthTag(message1.subarray(-16));
  const ek = Buffer.concat([decipher.update(message1.subarray(32, -16)), decipher.final()]);
  h = H(h, message1.subarray(32));

  // <- ct ‖ e, ee, se, psk.
  const spki = Buffer.concat([Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex'), ek]);
  const kem = encapsulate(createPublicKey({ key: spki, format: 'der', type: 'spki' }));
  const psk = H(Buffer.from('folkmoot ml-kem-768 psk v1'), kem.sharedKey, ek, kem.ciphertext);
  const own = generateKeyPairSync('x25519');
  h = H(h, raw(own.publicKey));
  [ck] = outputs(ck, raw(own.publicKey));
  [ck] = outputs(ck, dh(own.privateKey, imported(e)));
  [ck] = outputs(ck, dh(own.privateKey, peerStatic));
  const [next, mixed, sealing] = outputs(ck, psk);
  h = H(h, mixed);
  const cipher = createCipheriv('aes-256-gcm', sealing, nonce, { authTagLength: 16 });
  cipher.setAAD(h);
  cipher.final();
  const tag = cipher.getAuthTag();
  h = H(h, tag);

  const [receiveKey, sendKey] = outputs(next, Buffer.alloc(0));
  const info = Buffer.concat([Buffer.from('folkmoot exporter v1'), h]);
  const exporter = Buffer.from(hkdfSync('sha256', next, Buffer.alloc(0), info, 32));
  return { message2: Buffer.concat([kem.ciphertext, raw(own.publicKey), tag]), receiveKey, sendKey, exporter };
}

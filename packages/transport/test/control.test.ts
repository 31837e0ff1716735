import type { TransportError } from '@folkmoot/core/errors.js';
import fc from 'fast-check';
import { pack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import {
  type CoordinatorMessage,
  controlReader,
  controlWriter,
  decodeCoordinatorMessage,
  decodeNodeMessage,
  encodeControl,
  loginStatement,
  type NodeMessage,
} from '../src/control.ts';
import { coordinatorIndex, decodeFrame } from '../src/frame.ts';
import { depthMax, guard } from '../src/guard.ts';

const job = 'ab'.repeat(32);
const report = {
  code: 'TAMPERED',
  message: 'a frame was changed',
  remedy: 'submit it again',
  party: 'camden',
} as const;
const nodeMessages: readonly NodeMessage[] = [
  { type: 'hello', party: 'camden', charter: job, build: '0.1.0', version: 2 },
  { type: 'login', signature: 'cd'.repeat(64) },
  { type: 'accepted', job, attempt: 1, acceptance: { party: 'camden', expires: '2026-12-01T00:00:00Z' } },
  { type: 'denied', job, attempt: 1, report },
  { type: 'phase', job, attempt: 2, phase: 'local query' },
  { type: 'phase', job, attempt: 2, phase: 'match', done: 0.42 },
  { type: 'opening', job, attempt: 1, sealedBytes: 80_001_136, commitments: { a: job }, signatures: { a: job + job } },
  { type: 'failed', job, attempt: 1, report },
  { type: 'renounced', job, attempt: 1, renunciation: { renunciation: {}, signature: 'ab' } },
  { type: 'renounced', job, attempt: 1, renunciation: {}, report },
  { type: 'stale', job, epoch: 4 },
  { type: 'budget', request: job, statement: { statement: { party: 'camden' }, signature: 'ab' } },
];
const coordinatorMessages: readonly CoordinatorMessage[] = [
  { type: 'challenge', nonce: job },
  { type: 'welcome', epoch: 1_790_000_000_000 },
  {
    type: 'invite',
    job,
    epoch: 3,
    attempt: 1,
    signed: { envelope: { job: { title: 'Åkeri ✓' } }, signature: 'cd'.repeat(64) },
  },
  { type: 'start', job, epoch: 3, attempt: 1, acceptances: [{ party: 'camden' }] },
  { type: 'start', job, epoch: 3, attempt: 2, acceptances: [], renunciations: [{ renunciation: {}, signature: 'ab' }] },
  { type: 'again', job, epoch: 3, attempt: 1, report },
  { type: 'abort', job, epoch: 3, attempt: 1, report },
  { type: 'cancel', job, epoch: 3 },
  { type: 'stored', job, epoch: 3, attempt: 1 },
  { type: 'budget', request: { request: { analyst: 'ana' }, signature: 'ab' } },
];

function refusal(step: () => unknown): string {
  try {
    step();
    return 'ok';
  } catch (error) {
    return `${(error as TransportError).code}: ${(error as Error).message}`;
  }
}

describe('control messages', () => {
  for (const message of nodeMessages) {
    it(`carry ${message.type} to the coordinator`, () => {
      expect(decodeNodeMessage(encodeControl(message))).toEqual(message);
      expect(refusal(() => decodeCoordinatorMessage(encodeControl(message)))).toMatch(/^BAD_CONTROL/);
    });
  }
  for (const message of coordinatorMessages) {
    it(`carry ${message.type} to a node`, () => {
      expect(decodeCoordinatorMessage(encodeControl(message))).toEqual(message);
      expect(refusal(() => decodeNodeMessage(encodeControl(message)))).toMatch(/^BAD_CONTROL/);
    });
  }

  it('are refused with a key that is missing, of another form, or unknown, and the key is named', () => {
    const failing = [
      [{ type: 'cancel' }, 'job'],
      [{ type: 'cancel', job: 'AB'.repeat(32) }, 'job'],
      [{ type: 'stored', job, epoch: 3, attempt: 0 }, 'attempt'],
      [{ type: 'stored', job, epoch: 3, attempt: 1.5 }, 'attempt'],
      [{ type: 'abort', job, epoch: 3, attempt: 1, report: { ...report, message: 7 } }, 'report.message'],
      [{ type: 'start', job, epoch: 3, attempt: 1, acceptances: [[]] }, 'acceptances.0'],
      [{ type: 'shutdown' }, 'type'],
    ] as const;
    for (const [message, field] of failing) {
      expect(refusal(() => decodeCoordinatorMessage(pack(message)))).toContain(`BAD_CONTROL: ${field}`);
    }
    expect(refusal(() => decodeCoordinatorMessage(pack({ type: 'cancel', job, more: 1 })))).toMatch(/^BAD_CONTROL/);
  });

  it('keep control characters of a report from the terminal, and take an unknown code for INTERNAL', () => {
    const hostile = { ...report, code: 'NEWER_CODE', message: 'red \u001b[31m' };
    const decoded = decodeNodeMessage(pack({ type: 'failed', job, attempt: 1, report: hostile }));
    expect(decoded).toMatchObject({ report: { code: 'INTERNAL', message: 'red  [31m' } });
  });

  it('are refused when they do not fit a frame', () => {
    const acceptances = Array.from({ length: 2 }, () => ({ text: 'x'.repeat(600_000) }));
    expect(refusal(() => encodeControl({ type: 'start', job, epoch: 3, attempt: 1, acceptances }))).toMatch(
      /^FRAME_TOO_LARGE/,
    );
  });

  it('leave no gap in the numbers where one does not fit a frame', () => {
    const write = controlWriter(coordinatorIndex, 3);
    const acceptances = [{ text: 'x'.repeat(1_100_000) }];
    expect(refusal(() => write({ type: 'start', job, epoch: 3, attempt: 1, acceptances }))).toMatch(/^FRAME_TOO_LARGE/);
    const read = controlReader(coordinatorIndex, 3, decodeCoordinatorMessage);
    expect(read(decodeFrame(write({ type: 'cancel', job, epoch: 3 }))).type).toBe('cancel');
  });

  it('are read once each and in order, from the other end of their own link', () => {
    const write = controlWriter(3, coordinatorIndex);
    const [first, second] = [nodeMessages[0]!, nodeMessages[1]!].map((message) => decodeFrame(write(message)));
    const read = controlReader(3, coordinatorIndex, decodeNodeMessage);
    expect(refusal(() => read(second!))).toMatch(/^BAD_SEQUENCE/);
    expect(read(first!).type).toBe('hello');
    expect(refusal(() => read(first!))).toMatch(/^BAD_SEQUENCE/);
    expect(read(second!).type).toBe('login');
    const stranger = controlReader(4, coordinatorIndex, decodeNodeMessage);
    expect(refusal(() => stranger(first!))).toMatch(/^WRONG_SESSION/);
  });

  it('sign nonce, charter and role at a login', () => {
    const statement = loginStatement('01'.repeat(32), '02'.repeat(32), 'party');
    expect(Buffer.from(statement).toString('hex')).toBe(`${'01'.repeat(32)}${'02'.repeat(32)}7061727479`);
  });
});

describe('the guard', () => {
  const bytesOf = (hex: string) => Buffer.from(hex, 'hex');
  const refused = {
    'nothing at all': '',
    'trailing bytes': 'c0c0',
    'an extension of fixed length': 'd40100',
    'an extension of any length': 'c7010100',
    'a timestamp': 'd6ff00000000',
    'the type that is never used': 'c1',
    'a 64-bit integer': 'cf0000000000000001',
    'a negative 64-bit integer': 'd3ffffffffffffffff',
    'a float of 32 bits': 'ca00000000',
    'a text that is cut': 'a56162',
    'a text that is not UTF-8': 'a2c328',
    'a text with a lone surrogate': 'a3eda080',
    'a text with an overlong form': 'a2c080',
    'an array longer than the bytes': 'ddffffffff',
    'a map longer than the bytes': 'dfffffffff',
    'a map of values without keys': '81',
    'a byte string longer than the bytes': 'c6ffffffff00',
    'a key that is a number': '8101c0',
    'a key that stands twice': '82a161c0a161c0',
    'a key that stands twice in two spellings': '82a161c0d90161c0',
    'a key that JavaScript would take for its own': '81a95f5f70726f746f5f5fc0',
  };
  for (const [what, hex] of Object.entries(refused)) {
    it(`refuses ${what}`, () => expect(refusal(() => guard(bytesOf(hex)))).toMatch(/^BAD_CONTROL/));
  }

  const passed = {
    nil: 'c0',
    'small and large integers': '96007fe0ccffcdffffceffffffff',
    'negative integers': '93d080d18000d280000000',
    'a double': 'cb3ff0000000000000',
    'texts of every length form': '93a161d90161da000161',
    'byte strings': '93c40100c5000100c60000000100',
    'arrays and maps in their longer forms': '92dc0001c0de0001a161c0',
    'the same key in two maps': '9281a161c081a161c0',
  };
  for (const [what, hex] of Object.entries(passed)) {
    it(`passes ${what}`, () => expect(refusal(() => guard(bytesOf(hex)))).toBe('ok'));
  }

  it(`passes depth ${depthMax}, and refuses one more`, () => {
    const nested = (depth: number) => Buffer.concat([Buffer.alloc(depth - 1, 0x91), bytesOf('c0')]);
    expect(refusal(() => guard(nested(depthMax)))).toBe('ok');
    expect(refusal(() => guard(nested(depthMax + 1)))).toMatch(/^BAD_CONTROL/);
    expect(refusal(() => guard(Buffer.alloc(100_000, 0x91)))).toMatch(/^BAD_CONTROL/);
  });

  it('passes all that the encoder writes of plain values', () => {
    const plain = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', maxDepth: 5 },
        fc.constant(null),
        fc.boolean(),
        fc.integer(),
        fc.double({ noNaN: true }),
        fc.string({ unit: 'grapheme' }),
        fc.array(tie('value'), { maxLength: 20 }),
        fc.dictionary(fc.stringMatching(/^[a-z]{1,40}$/), tie('value'), { maxKeys: 20, noNullPrototype: true }),
      ),
    })).value;
    fc.assert(
      fc.property(plain, (value) => {
        const hasOwnName = JSON.stringify(value).match(/"(constructor|prototype)":/) !== null;
        fc.pre(!hasOwnName);
        guard(encodeControl(value as NodeMessage));
      }),
      { numRuns: 500 },
    );
  });
});

import { expect, it } from 'vitest';
import { bytes, struct, u8 } from '../src/algebra/codec.ts';
import { fromIntegers, toIntegers, Z2_128 } from '../src/algebra/ring.ts';
import { elements, exchange, message, recvFrom, sendTo } from '../src/protocols/message.ts';
import { channels } from './channels.ts';

const Greeting = message('greeting', struct({ kind: u8, name: bytes(3) }));

it('carries values of a fixed layout and vectors', async () => {
  const [a, b] = channels(['a', 'b']);
  const value = { kind: 7, name: new Uint8Array([1, 2, 3]) };
  await sendTo(a!, 'b', Greeting, value);
  expect({ ...(await recvFrom(b!, 'a', Greeting)) }).toEqual(value);

  const Masked = elements('masked', Z2_128, 2);
  await sendTo(a!, 'b', Masked, fromIntegers(Z2_128, [1n, -2n]));
  expect(toIntegers(await recvFrom(b!, 'a', Masked))).toEqual([1n, -2n]);
});

it('names sender and label of a message that does not decode', async () => {
  for (const Form of [Greeting, elements('masked', Z2_128, 2)]) {
    const [a, b] = channels(['a', 'b']);
    await a!.send('b', Form.label, new Uint8Array(3));
    const refusal = expect.objectContaining({ code: 'BAD_MESSAGE', party: 'a', field: Form.label });
    await expect(recvFrom<unknown>(b!, 'a', Form)).rejects.toThrow(refusal);
  }
});

it('exchanges a value each way, in the order of the roster', async () => {
  const all = channels(['c', 'a', 'b']);
  const heard = await Promise.all(all.map((ch, i) => exchange(ch, Greeting, { kind: i, name: new Uint8Array(3) })));
  for (const values of heard) {
    expect([...values.keys()]).toEqual(['a', 'b', 'c']);
    expect([...values.values()].map(({ kind }) => kind)).toEqual([0, 1, 2]);
  }
});

/**
 * Random OTs between the two parties of a channel, from the first to the second, of which none is kept; the first of
 * them are checked.
 * @module
 */
import type { Channel } from '@folkmoot/core/channel.js';
import { octets, recvFrom, sendTo } from '@folkmoot/core/message.js';
import { recvRandom, sendRandom } from '@folkmoot/core/oblivious-transfer.js';
import { type OtOptions, OtReceiver, OtSender } from '@folkmoot/core/ot-extension.js';
import { platform } from '@folkmoot/core/platform.js';

/** In calls as a computation makes them. */
const otsPerCall = 2 ** 20;
const Checked = octets('check/pairs', 2 * 16);

export async function randomOts(ch: Channel, count: number, options: OtOptions): Promise<void> {
  const [peer] = ch.peers;
  if (peer === undefined || ch.peers.length > 1) throw new Error('OTs are made between two parties');
  if (ch.self < peer) await send(ch, peer, count, options);
  else await receive(ch, peer, count, options);
}

async function send(ch: Channel, peer: string, count: number, options: OtOptions): Promise<void> {
  const session = await OtSender.open(ch, peer, platform.randomBytes, options);
  for (let start = 0; start < count; start += otsPerCall) {
    const { zero, one } = await sendRandom(session, Math.min(otsPerCall, count - start));
    const first = new Uint8Array(32);
    first.set(zero.subarray(0, 16));
    first.set(one.subarray(0, 16), 16);
    await sendTo(ch, peer, Checked, first);
  }
}

async function receive(ch: Channel, peer: string, count: number, options: OtOptions): Promise<void> {
  const session = await OtReceiver.open(ch, peer, platform.randomBytes, options);
  for (let start = 0; start < count; start += otsPerCall) {
    const { choices, chosen } = await recvRandom(session, Math.min(otsPerCall, count - start));
    const pair = await recvFrom(ch, peer, Checked);
    const choice = choices[0]! & 1;
    const isRight = chosen.subarray(0, 16).every((byte, i) => byte === pair[16 * choice + i]);
    if (!isRight) throw new Error('an OT is wrong');
  }
}

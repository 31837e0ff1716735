/**
 * The same joint sum by jiff-mpc: a server and three parties, a process each on loopback, secrets shared element by
 * element (Shamir over a 24-bit field, its default) and the sums opened to all.
 *
 *   node jiff-sum.js ELEMENTS      prints the seconds that the slowest party took, from connected to opened
 * @module
 */
import { fork } from 'node:child_process';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { JIFFClient, JIFFServer } = require('jiff-mpc');
const parties = 3;

const [role, ...rest] = process.argv.slice(2);

async function party(url, elements) {
  const client = new JIFFClient(url, 'sum', { party_count: parties, crypto_provider: true, autoConnect: false });
  await new Promise((resolve) => {
    client.wait_for(
      Array.from({ length: parties }, (_, i) => i + 1),
      resolve,
    );
    client.connect();
  });
  const values = Array.from({ length: elements }, (_, i) => (i * 7 + 3) % 1000);
  const begin = performance.now();
  const shares = await client.share_array(values, elements);
  const sums = shares[1].map((share, i) => share.sadd(shares[2][i]).sadd(shares[3][i]));
  const opened = await Promise.all(sums.map((share) => client.open(share)));
  const seconds = (performance.now() - begin) / 1000;
  if (opened.some((sum, i) => Number(sum) !== 3 * values[i])) throw new Error('the sum is wrong');
  process.send({ seconds });
}

if (role === 'party') {
  await party(rest[0], Number(rest[1]));
} else {
  const http = createServer();
  new JIFFServer(http, { logs: false });
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${http.address().port}`;
  const children = Array.from({ length: parties }, () => fork(import.meta.filename, ['party', url, role]));
  const times = await Promise.all(
    children.map((child) => new Promise((resolve) => child.once('message', ({ seconds }) => resolve(seconds)))),
  );
  for (const child of children) child.kill();
  console.log(Math.max(...times));
  process.exit(0);
}

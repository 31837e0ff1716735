/**
 * Comparisons of 64-bit numbers and multiplications by jiff-mpc: a server and three parties, a process each on loopback,
 * the server as its crypto provider. Comparisons run over a field of 65 bits (2^64 + 13) by its extension for big
 * numbers, multiplications over its default field of 24 bits.
 *
 *   node jiff-circuits.js comparisons|multiplications COUNT
 *                                 prints the seconds that the slowest party took, from shared inputs to opened results
 * @module
 */
import { fork } from 'node:child_process';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { JIFFClient, JIFFServer } = require('jiff-mpc');
const bigClient = require('jiff-mpc/lib/ext/jiff-client-bignumber.js');
const bigServer = require('jiff-mpc/lib/ext/jiff-server-bignumber.js');
const BigNumber = require('bignumber.js');
const parties = 3;

const subjects = {
  comparisons: {
    options: { crypto_provider: true, Zp: '18446744073709551629' },
    extend: (client) => client.apply_extension(bigClient),
    input: (id, i) => new BigNumber('1152921504606846976').plus(new BigNumber((i * 7 + id * 31) % 1000).times(id)),
    work: (x, y) => x.slt(y),
    expected: (x, y) => (x.lt(y) ? 1 : 0),
  },
  multiplications: {
    options: { crypto_provider: true },
    extend: () => {},
    input: (id, i) => (i * 7 + id * 31) % 1000,
    work: (x, y) => x.smult(y),
    expected: (x, y) => x * y,
  },
};

const [first, ...rest] = process.argv.slice(2);

async function party(url, name, count) {
  const { options, extend, input, work, expected } = subjects[name];
  const client = new JIFFClient(url, name, { party_count: parties, autoConnect: false, ...options });
  extend(client);
  const everyone = Array.from({ length: parties }, (_, i) => i + 1);
  await new Promise((resolve) => {
    client.wait_for(everyone, resolve);
    client.connect();
  });
  const values = (id) => Array.from({ length: count }, (_, i) => input(id, i));
  const shares = await client.share_array(values(client.id), count);
  const begin = performance.now();
  const opened = await Promise.all(shares[1].map((x, i) => client.open(work(x, shares[2][i]))));
  const seconds = (performance.now() - begin) / 1000;
  const [x, y] = [values(1), values(2)];
  if (opened.some((result, i) => Number(result) !== expected(x[i], y[i]))) throw new Error('a result is wrong');
  process.send({ seconds });
}

if (first === 'party') {
  await party(rest[0], rest[1], Number(rest[2]));
} else {
  const http = createServer();
  const server = new JIFFServer(http, { logs: false });
  if (first === 'comparisons') server.apply_extension(bigServer);
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${http.address().port}`;
  const children = Array.from({ length: parties }, () => fork(import.meta.filename, ['party', url, first, rest[0]]));
  const times = await Promise.all(
    children.map(
      (child) =>
        new Promise((resolve, reject) => {
          child.once('message', ({ seconds }) => resolve(seconds));
          child.once('exit', (code) => reject(new Error(`a party ended with ${code}`)));
        }),
    ),
  );
  for (const child of children) child.kill();
  console.log(Math.max(...times));
  process.exit(0);
}

/**
 * Private set intersection by @openmined/psi.js: client and server in this one process, with a set of ELEMENTS texts each,
 * half of which both have. Messages go through their serialised form and over no link.
 *
 *   node psi.js ELEMENTS      prints the seconds of both together, and the bytes that they would have sent
 * @module
 */
import { createRequire } from 'node:module';

const psi = await createRequire(import.meta.url)('@openmined/psi.js')();
const count = Number(process.argv[2]);
/** Of its forms the one without false matches, which is also the quickest. Then this number is not used. */
const form = psi.dataStructure.Raw;
const falsePositives = 1e-9;

const set = (owner) => Array.from({ length: count }, (_, i) => `${i < count / 2 ? 'both' : owner} ${i}`);
const [own, other] = [set('client'), set('server')];

const begin = performance.now();
const client = psi.client.createWithNewKey(true);
const server = psi.server.createWithNewKey(true);
const setup = server.createSetupMessage(falsePositives, count, other, form).serializeBinary();
const request = client.createRequest(own).serializeBinary();
const response = server.processRequest(psi.request.deserializeBinary(request)).serializeBinary();
const found = client.getIntersection(
  psi.serverSetup.deserializeBinary(setup),
  psi.response.deserializeBinary(response),
);
const seconds = (performance.now() - begin) / 1000;
if (found.length !== count / 2) throw new Error('the intersection is wrong');
console.log(JSON.stringify({ seconds, bytes: setup.length + request.length + response.length }));
process.exit(0);

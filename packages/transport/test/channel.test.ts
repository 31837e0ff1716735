import { simulate } from '@folkmoot/core/simulate.js';
import { channelContract } from '@folkmoot/testkit/channel-contract.js';
import { seededPlan } from '@folkmoot/testkit/fault-proxy.js';
import { directCluster, relayCluster, resumableCluster, runOver } from '@folkmoot/testkit/socket-cluster.js';

channelContract('the simulator in memory', async (parties, program) => {
  const { outcomes } = await simulate({ parties, seed: 1, settle: pause }, program);
  return outcomes;
});

channelContract('sockets through the relay', async (parties, program) => runOver(await relayCluster(parties), program));

channelContract('direct sockets', async (parties, program) => runOver(await directCluster(parties), program));

channelContract('streams over links that are cut', async (parties, program) => {
  const plan = seededPlan(parties.length, { faults: 25, bytes: 60_000, kinds: ['cut'] });
  return runOver(await resumableCluster(parties, plan), program);
});

/** One of the contract's programs waits for a timer. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 1);
  });
}

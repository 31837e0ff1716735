import { simulate } from '@folkmoot/core/simulate.js';
import { channelContract } from '@folkmoot/testkit/channel-contract.js';
import { directCluster, relayCluster, runOver } from '@folkmoot/testkit/socket-cluster.js';

channelContract('the simulator in memory', async (parties, program) => {
  const { outcomes } = await simulate({ parties, seed: 1, settle: pause }, program);
  return outcomes;
});

channelContract('sockets through the relay', async (parties, program) => runOver(await relayCluster(parties), program));

channelContract('direct sockets', async (parties, program) => runOver(await directCluster(parties), program));

/** One of the contract's programs waits for a timer. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 1);
  });
}

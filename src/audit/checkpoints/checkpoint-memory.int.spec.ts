import { temporaryFolder } from '../../../test/support/temporary-folder';
import { CheckpointMemory } from './checkpoint-memory';

test("checkpoints that are remembered at once do not get into each other's way, and the newest one stays", async () => {
  const folder = temporaryFolder();
  const memory = await CheckpointMemory.open(folder);
  const numbers = Array.from({ length: 20 }, (_, index) => index + 1);
  const hashOf = (number: number) => Promise.resolve(`hash ${number}`);
  await Promise.all(numbers.map((number) => memory.remember({ number, hash: `hash ${number}` }, hashOf)));
  expect((await CheckpointMemory.open(folder)).last).toEqual({ number: 20, hash: 'hash 20' });
});

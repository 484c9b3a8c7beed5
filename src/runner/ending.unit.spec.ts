import { endTree } from './ending';
import type { EndingSignal, ProcessTree } from './process-tree';

/** A tree whose members die of some signals, some time after them. */
class ScriptedTree implements ProcessTree {
  readonly received: { signal: EndingSignal; sparing: number | undefined }[] = [];
  private members: number[];

  constructor(
    pids: readonly number[],
    private readonly dieOf: Readonly<Record<number, EndingSignal | 'nothing' | 'solitude'>>,
  ) {
    this.members = [...pids];
  }

  async living(): Promise<number[]> {
    return [...this.members];
  }

  async remember(): Promise<void> {
    // It knows them anyway.
  }

  async signal(signal: EndingSignal, sparing?: number): Promise<number[]> {
    const before = await this.living();
    if (before.length === 0) return [];
    this.received.push({ signal, sparing });
    this.members = this.members.filter((pid) => pid === sparing || this.dieOf[pid] !== signal);
    if (this.members.length === 1 && this.dieOf[this.members[0]!] === 'solitude') this.members = [];
    return before;
  }
}

const open = new AbortController().signal;
const options = { graceMs: 50, leader: 1, killPatienceMs: 300 };

test('a tree that is empty gets no signal', async () => {
  const tree = new ScriptedTree([], {});
  expect(await endTree(tree, options, open)).toEqual({ sent: [], survivors: [] });
  expect(tree.received).toEqual([]);
});

test('SIGTERM is enough where everybody dies of it', async () => {
  const tree = new ScriptedTree([1, 2], { 1: 'solitude', 2: 'SIGTERM' });
  expect(await endTree(tree, options, open)).toEqual({ sent: ['SIGTERM'], survivors: [] });
});

test('SIGKILL comes after the grace period and spares the leader, which leaves when the others have', async () => {
  const tree = new ScriptedTree([1, 2], { 1: 'solitude', 2: 'SIGKILL' });
  expect(await endTree(tree, options, open)).toEqual({ sent: ['SIGTERM', 'SIGKILL'], survivors: [] });
  expect(tree.received.at(-1)).toEqual({ signal: 'SIGKILL', sparing: 1 });
});

test('what no signal ends is named when the patience is over', async () => {
  const tree = new ScriptedTree([1, 2], { 1: 'SIGKILL', 2: 'nothing' });
  const { sent, survivors } = await endTree(tree, options, open);
  expect(sent).toEqual(['SIGTERM', 'SIGKILL']);
  expect(survivors).toContain(2);
});

test('a leader that stays is killed as well in the end', async () => {
  const tree = new ScriptedTree([1], { 1: 'SIGKILL' });
  expect(await endTree(tree, { ...options, killPatienceMs: 5_000 }, open)).toMatchObject({ survivors: [] });
  expect(tree.received.at(-1)).toEqual({ signal: 'SIGKILL', sparing: undefined });
});

test('whoever closes meanwhile leaves the tree alone', async () => {
  const closed = new AbortController();
  const tree = new ScriptedTree([1], { 1: 'nothing' });
  const ending = endTree(tree, { ...options, graceMs: 60_000 }, closed.signal);
  closed.abort(new Error('closed'));
  await expect(ending).rejects.toThrow('closed');
  expect(tree.received).toHaveLength(1);
});

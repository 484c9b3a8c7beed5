import { Progress } from './progress';

const refused = { code: 'not_caught_up', details: { projection: 'runs', reached: '5' } };

/** What has become of a promise by now. */
async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  const pending = Symbol('pending');
  const outcome = await Promise.race([
    promise.then(() => 'resolved').catch((error: unknown) => error),
    new Promise((resolve) => setImmediate(resolve, pending)),
  ]);
  return outcome === pending ? 'pending' : outcome;
}

test('who waits for what is reached does not wait', async () => {
  const progress = new Progress('runs', 5n);
  expect(progress.reached).toBe(5n);
  expect(await outcomeOf(progress.waitFor(4n, 10_000))).toBe('resolved');
  expect(await outcomeOf(progress.waitFor(5n, 10_000))).toBe('resolved');
});

test('everybody waits for a position of their own', async () => {
  const progress = new Progress('runs', 5n);
  const waits = [8n, 6n, 7n, 6n].map((position) => progress.waitFor(position, 10_000));
  const outcomes = () => Promise.all(waits.map(outcomeOf));
  expect(await outcomes()).toEqual(['pending', 'pending', 'pending', 'pending']);
  progress.advance(6n);
  expect(await outcomes()).toEqual(['pending', 'resolved', 'pending', 'resolved']);
  progress.advance(100n);
  expect(await outcomes()).toEqual(['resolved', 'resolved', 'resolved', 'resolved']);
});

test('progress never goes back', () => {
  const progress = new Progress('runs', 5n);
  progress.advance(4n);
  expect(progress.reached).toBe(5n);
});

test('who has waited long enough is told how far it came, and is forgotten', async () => {
  const progress = new Progress('runs', 5n);
  await expect(progress.waitFor(6n, 1)).rejects.toMatchObject(refused);
  const other = progress.waitFor(6n, 10_000);
  progress.advance(6n);
  await other;
});

test('where the consumer has stopped nobody waits any longer', async () => {
  const progress = new Progress('runs', 5n);
  expect(progress.stoppedBy).toBeNull();
  const waiting = progress.waitFor(6n, 10_000);
  const failure = new Error('why');
  progress.stop(failure);
  await expect(waiting).rejects.toMatchObject(refused);
  await expect(progress.waitFor(7n, 10_000)).rejects.toMatchObject(refused);
  await progress.waitFor(5n, 10_000);
  expect(progress.stoppedBy).toBe(failure);
});

test('who gathers until somebody waits goes on when somebody does, and when the consumer is stopped', async () => {
  const progress = new Progress('runs', 5n);
  const gathering = progress.untilAwaited(10_000);
  const patient = progress.waitFor(6n, 10_000, true);
  expect(await outcomeOf(gathering)).toBe('pending');
  const waiting = progress.waitFor(6n, 10_000);
  expect(await outcomeOf(gathering)).toBe('resolved');
  progress.advance(6n);
  await Promise.all([patient, waiting]);

  const again = progress.untilAwaited(10_000);
  expect(await outcomeOf(again)).toBe('pending');
  progress.stop(new Error('the server is stopping'));
  expect(await outcomeOf(again)).toBe('resolved');
  expect(await outcomeOf(progress.untilAwaited(10_000))).toBe('resolved');
});

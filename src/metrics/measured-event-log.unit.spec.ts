import type { EventLog } from '../event-log/event-log';
import { FollowInterrupted, LogUnavailable, RevisionConflict } from '../event-log/event-log';
import { measured } from './measured-event-log';
import { Metrics } from './metrics';

/** A log whose appends and followers fail with what they are given. */
function failing(error: Error | null, metrics: Metrics): EventLog {
  const log = {
    append: () => (error ? Promise.reject(error) : Promise.resolve({ revision: 0, position: 1n })),
    follow: async function* () {
      yield { events: [], reached: 1n };
      if (error) throw error;
    },
  };
  return measured(log as unknown as EventLog, metrics);
}

async function drain(log: EventLog, signal: AbortSignal): Promise<void> {
  for await (const { reached } of log.follow({ after: 0n, signal })) expect(reached).toBe(1n);
}

test.each([
  ['ok', null],
  ['conflict', new RevisionConflict('s', 0, 1)],
  ['failed', new LogUnavailable('down')],
])('an append is measured: %s', async (result, error) => {
  const metrics = new Metrics();
  const append = failing(error, metrics).append('s', [], 0);
  if (error) await expect(append).rejects.toBe(error);
  else await expect(append).resolves.toEqual({ revision: 0, position: 1n });
  expect(await metrics.text()).toContain(`reveille_append_seconds_count{result="${result}"} 1\n`);
});

test('following that breaks off is counted, and following that was to end is not', async () => {
  const metrics = new Metrics();
  const gone = new FollowInterrupted('gone', true);
  const log = failing(gone, metrics);
  await expect(drain(log, new AbortController().signal)).rejects.toBe(gone);
  await expect(drain(log, AbortSignal.abort())).rejects.toBe(gone);
  expect(await metrics.text()).toContain('reveille_follow_interruptions_total 1\n');
});

test('a source that fails leaves out what it knows, and nothing else', async () => {
  const metrics = new Metrics();
  let isDown = false;
  metrics.addSource(() => {
    if (isDown) throw new Error('down');
    return [{ name: 'reveille_queue_depth', labels: {}, value: 3 }];
  });
  metrics.addSource(() => [{ name: 'reveille_active_runs', labels: {}, value: 2 }]);
  expect(await metrics.text()).toContain('\nreveille_queue_depth 3\n');
  isDown = true;
  const text = await metrics.text();
  expect(text).not.toMatch(/^reveille_queue_depth /m);
  expect(text).toMatch(/^reveille_active_runs 2$/m);
});

import type { EventLog } from '../../src/event-log/event-log';
import { EmbeddedEventLog } from '../../src/event-log/embedded/embedded-event-log';
import { LocalRunner } from '../../src/runner/local-runner';
import type { ClaimedRun } from '../../src/runner/run-authority';
import { queueRun, RecordingAuthority, runnerDeps } from './local-runner';

/** At which append the host dies as by `kill -9`: just before it, or when it is on disk and before anybody knows. */
export interface DeathPoint {
  eventType: string;
  when: 'before' | 'after';
}

export interface HostTask {
  folder: string;
  run: ClaimedRun;
  death: DeathPoint;
}

/** A server's worth of runner that starts one run and dies at a point that is chosen beforehand. */
async function main({ folder, run, death }: HostTask): Promise<void> {
  const log = await EmbeddedEventLog.open(`${folder}/log`);
  await queueRun(log, run);
  const authority = new RecordingAuthority();
  authority.finish = async () => dieAt(death, 'RunFinished', 'before');
  const runner = new LocalRunner(runnerDeps(folder, dyingLog(log, death), authority));
  runner.start(run);
  await runner.idle();
}

function dyingLog(log: EmbeddedEventLog, death: DeathPoint): EventLog {
  return Object.assign(Object.create(log) as EventLog, {
    append: async (...args: Parameters<EventLog['append']>) => {
      for (const { type } of args[1]) dieAt(death, type, 'before');
      const appended = await log.append(...args);
      for (const { type } of args[1]) dieAt(death, type, 'after');
      return appended;
    },
  });
}

function dieAt(death: DeathPoint, eventType: string, when: DeathPoint['when']): void {
  if (death.eventType === eventType && death.when === when) process.kill(process.pid, 'SIGKILL');
}

if (require.main === module) void main(JSON.parse(process.argv[2]!) as HostTask);

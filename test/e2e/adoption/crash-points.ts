import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CrashPoint } from '../../support/crashing-server';

/** What the agent of a story is: see `recording-agent.cjs`. */
export type AgentKind = 'writer' | 'stubborn' | 'parent' | 'patient';

/** One place between a run's claim and its recorded end where its server dies. */
export interface CrashStory {
  /** The point's name in `docs/adoption.md`. */
  name: string;
  /** In the normal suite too, not only in the full one. */
  isEssential?: true;
  at: CrashPoint;
  /** The server that takes the run up dies as well. */
  then?: CrashPoint;
  agent?: AgentKind;
  /** Somebody cancels the run while it is running. */
  isCancelled?: boolean;
  timeoutSec?: number;
  /** The next server starts when the agent has ended; otherwise at once. */
  endsMeanwhile?: boolean;
  /** What becomes of the run's folder before the next server starts. */
  meanwhile?: (runFolder: string) => void;
  outcome?: { status: string; exitCode: number | null; errorCode: string | null };
}

const CANCELLED = { status: 'cancelled', exitCode: 7, errorCode: 'cancelled' };
const TIMED_OUT = { status: 'timed_out', exitCode: 7, errorCode: 'timeout' };
const at = (
  type: string,
  when: 'before' | 'after',
  more: { nth?: number; onceThereIs?: string; says?: string } = {},
) => ({
  type,
  when,
  ...more,
});
const closingLine = { says: '"message":"run succeeded"' };

/** In the order in which a run comes by them. */
export const crashPoints: readonly CrashStory[] = [
  { name: 'before the claim', at: at('RunStarted', 'before') },
  { name: 'after the claim, its answer lost', isEssential: true, at: at('RunStarted', 'after') },
  { name: 'before the invocation is recorded', at: at('AdapterInvoked', 'before') },
  { name: 'after the invocation is recorded, before the spawn', at: at('AdapterInvoked', 'after') },
  {
    name: 'while the folder is made',
    at: { file: 'context.json', is: 'there' },
    meanwhile: leaveHalfAFolder,
  },
  { name: 'after the spawn, before it is recorded', at: at('ProcessRecorded', 'before') },
  {
    name: 'after the wrapper said who it is, before that is recorded',
    isEssential: true,
    at: at('ProcessRecorded', 'before', { onceThereIs: 'pid' }),
  },
  {
    name: 'after the process is recorded, before the line on the control pipe',
    isEssential: true,
    at: at('ProcessRecorded', 'after'),
  },
  { name: 'after the line on the control pipe', isEssential: true, at: { file: 'started', is: 'there' } },
  { name: 'before the first output is recorded', at: at('LogChunked', 'before') },
  { name: 'after the first output is recorded, its answer lost', at: at('LogChunked', 'after') },
  { name: 'during the tail', at: at('LogChunked', 'before', { nth: 5 }) },
  {
    name: 'during the tail, the answer lost and the spool grown since',
    isEssential: true,
    at: at('LogChunked', 'after', { nth: 5 }),
    endsMeanwhile: true,
  },
  { name: 'before usage is booked', at: at('UsageBooked', 'before') },
  { name: 'after usage is booked, its answer lost', isEssential: true, at: at('UsageBooked', 'after') },
  { name: 'after the exit file is there', at: { file: 'exit', is: 'there' } },
  {
    name: 'after the exit file is there, before the last output is recorded',
    isEssential: true,
    at: at('LogChunked', 'before', { nth: 3, onceThereIs: 'exit' }),
  },
  { name: 'before the log is finalized', at: at('LogFinalized', 'before') },
  { name: 'after the log is finalized, its answer lost', isEssential: true, at: at('LogFinalized', 'after') },
  { name: 'before the end is recorded', at: at('RunFinished', 'before') },
  {
    name: 'after the end is recorded, before the folder is removed',
    isEssential: true,
    at: at('RunFinished', 'after'),
  },
  { name: 'while the folder is removed', at: at('RunFinished', 'after'), meanwhile: removeHalfTheFolder },
  { name: 'before the closing line', at: at('RunLifecycleRecorded', 'before', closingLine) },
  { name: 'after the closing line', at: at('RunLifecycleRecorded', 'after', closingLine) },
];

/** Runs that are ended by somebody, or leave something behind. */
export const crashPointsOfEndings: readonly CrashStory[] = [
  {
    name: 'before the ending is recorded',
    at: at('RunEndRequested', 'before'),
    isCancelled: true,
  },
  {
    name: 'after the ending is recorded, before the first signal',
    isEssential: true,
    at: at('RunEndRequested', 'after'),
    agent: 'stubborn',
    isCancelled: true,
    outcome: CANCELLED,
  },
  {
    name: 'after the first signal',
    at: { file: 'work/terminated', is: 'there' },
    agent: 'stubborn',
    isCancelled: true,
    outcome: CANCELLED,
  },
  {
    name: 'after the first signal, and the agent ends meanwhile',
    isEssential: true,
    at: { file: 'work/terminated', is: 'there' },
    agent: 'stubborn',
    isCancelled: true,
    endsMeanwhile: true,
    outcome: CANCELLED,
  },
  {
    name: 'before the log of a cancelled run is finalized',
    at: at('LogFinalized', 'before'),
    agent: 'stubborn',
    isCancelled: true,
    outcome: CANCELLED,
  },
  {
    name: 'after the end of a cancelled run is recorded',
    at: at('RunFinished', 'after'),
    agent: 'stubborn',
    isCancelled: true,
    outcome: CANCELLED,
  },
  {
    name: 'before a timeout is recorded',
    at: at('RunEndRequested', 'before'),
    agent: 'stubborn',
    timeoutSec: 1,
    outcome: TIMED_OUT,
  },
  {
    name: 'after a timeout is recorded',
    at: at('RunEndRequested', 'after'),
    agent: 'stubborn',
    timeoutSec: 1,
    outcome: TIMED_OUT,
  },
  {
    name: 'after it is recorded that something was left behind',
    at: at('RunNoteRecorded', 'after', { says: 'left behind' }),
    agent: 'parent',
  },
];

/** The server that takes the run up dies, too. */
export const crashesInARow: readonly CrashStory[] = [
  { name: 'claimed, then spawned', at: at('RunStarted', 'after'), then: at('ProcessRecorded', 'before') },
  {
    name: 'spawned twice, never recorded',
    at: at('ProcessRecorded', 'before'),
    then: at('ProcessRecorded', 'before'),
  },
  {
    name: 'recorded twice, never released',
    at: at('ProcessRecorded', 'after'),
    then: at('ProcessRecorded', 'after'),
  },
  {
    name: 'in the tail, then in the tail',
    isEssential: true,
    at: at('LogChunked', 'after', { nth: 3 }),
    then: at('LogChunked', 'after'),
  },
  {
    name: 'in the tail, then at the end of the log',
    at: at('LogChunked', 'after', { nth: 3 }),
    then: at('LogFinalized', 'after'),
    endsMeanwhile: true,
  },
  {
    name: 'at the end of the log, then at the end of the run',
    at: at('LogFinalized', 'after'),
    then: at('RunFinished', 'after'),
  },
];

/** As far as a server gets that dies while it makes it. */
function leaveHalfAFolder(runFolder: string): void {
  rmSync(runFolder, { recursive: true });
  mkdirSync(runFolder);
  writeFileSync(join(runFolder, 'context.json'), '{"half":');
}

function removeHalfTheFolder(runFolder: string): void {
  for (const name of ['pid', 'stdout', 'exit']) rmSync(join(runFolder, name));
}

import { setTimeout as sleep } from 'node:timers/promises';
import { decisionText } from '../cli/decision';
import { printLines } from '../cli/output';
import { outcomeText } from '../cli/run-text';
import { tableLines } from '../cli/table';
import { dollars, took } from '../cli/text';
import type { AgentRequest, AgentView, ReveilleClient, RunView, WakeRequest, WakeupView } from '../client';
import { hasSucceeded, isSettled } from '../client';
import {
  DEPLOYER_EXIT_CODE,
  deployer,
  firstText,
  proofreader,
  release,
  secondText,
  thirdText,
  timekeeper,
} from './demo-agents';
import { outputLines } from './output-lines';

export interface Told {
  companyId: string;
  proofreaderId: string;
  failedRunId: string;
  /** What went otherwise than told, in words; empty where nothing did. */
  surprises: string[];
}

/** A wakeup that is settled, and the run that it went into. */
interface Ending {
  wakeup: WakeupView;
  run: RunView;
}

const POLL_MS = 100;
const NAME_WIDTH = 11;

/** Makes the demo's company, wakes its agents and prints what happens. @throws the abort reason when `stop` aborts */
export async function tellStory(api: ReveilleClient, stop: AbortSignal): Promise<Told> {
  stop.throwIfAborted();
  const since = new Date().toISOString();
  const company = await api.registerCompany({ name: 'Demo company', externalKey: 'reveille-demo' });
  const reader = await readyAgent(api, company.id, proofreader, stop);
  const failing = await readyAgent(api, company.id, deployer, stop);
  const timed = await readyAgent(api, company.id, timekeeper, stop);
  printLines([
    '',
    `The company "${company.name}" has three agents. The ${reader.name} looks for doubled words in the texts that`,
    `it is given. The ${failing.name} fails with exit code ${DEPLOYER_EXIT_CODE}, on purpose. The ${timed.name} is`,
    `woken by a timer, every ${timekeeper.runtimeConfig.heartbeat.intervalSec} seconds.`,
    '',
  ]);
  const timerEnding = begun(followTimer(api, timed, since, stop));

  const first = await wake(api, reader, firstText);
  const firstEnding = begun(follow(api, reader, first.id, stop));
  await untilClaimed(api, first.id, stop);
  printLines(['', `The ${reader.name} is at work. Two more texts come in meanwhile:`]);
  const second = await wake(api, reader, secondText);
  const third = await wake(api, reader, thirdText);
  const failed = await wake(api, failing, release);
  printLines(['']);
  const [ofFirst, ofFailed, ofSecond, ofTimer] = await Promise.all([
    firstEnding,
    follow(api, failing, failed.id, stop),
    follow(api, reader, second.id, stop),
    timerEnding,
  ]);
  const ofThird = await endingOf(api, third.id, stop);
  printSummary([reader, failing, timed], [ofFirst, ofFailed, ofSecond, ofTimer]);
  return {
    companyId: company.id,
    proofreaderId: reader.id,
    failedRunId: ofFailed.run.id,
    surprises: [
      ...surprisesOf(ofFirst, ofSecond, ofThird, ofFailed),
      ...(hasSucceeded(ofTimer.wakeup) ? [] : [`the timer wakes the ${timed.name}`]),
      ...(await surprisesInHistory(api, company.id, reader.id, second.id)),
    ],
  };
}

/** Registered, as this version of the demo has it, and with nothing left to do from an earlier start. */
async function readyAgent(
  api: ReveilleClient,
  companyId: string,
  request: AgentRequest,
  stop: AbortSignal,
): Promise<AgentView> {
  const { adapterConfig, runtimeConfig } = request;
  const { id } = await api.registerAgent(companyId, request);
  const agent = await api.patchAgent(id, { adapterConfig, runtimeConfig });
  if (agent.status === 'paused') await api.changeAgentStatus(id, 'resume');
  for (let isFirst = true; (await api.wakeups(id, { limit: 200 })).items.some(isOpen); isFirst = false) {
    if (isFirst) printLines([`The ${agent.name} is still at work from an earlier start.`]);
    await sleep(POLL_MS, undefined, { signal: stop });
  }
  return agent;
}

function isOpen({ status }: WakeupView): boolean {
  return status === 'queued' || status === 'claimed' || status === 'deferred';
}

async function wake(api: ReveilleClient, agent: AgentView, request: WakeRequest): Promise<WakeupView> {
  const answer = await api.wake(agent.id, request);
  printLines([`wake ${agent.name} (${request.reason})`, `  ${decisionText(answer)}`]);
  return answer.wakeup;
}

async function untilClaimed(api: ReveilleClient, wakeupId: string, stop: AbortSignal): Promise<void> {
  for (let wakeup = await api.wakeup(wakeupId); wakeup.status !== 'claimed' && !isSettled(wakeup);) {
    await sleep(POLL_MS, undefined, { signal: stop });
    wakeup = await api.wakeup(wakeupId);
  }
}

/** Waits for the first wakeup that the agent's timer makes, and follows it. */
async function followTimer(
  api: ReveilleClient,
  agent: AgentView,
  since: string,
  stop: AbortSignal,
): Promise<Ending> {
  for (;;) {
    const { items } = await api.wakeups(agent.id, { limit: 10 });
    const woken = items.find(({ source, requestedAt }) => source === 'timer' && requestedAt >= since);
    if (woken) return follow(api, agent, woken.id, stop);
    await sleep(POLL_MS, undefined, { signal: stop });
  }
}

/** Prints what the run of a wakeup writes while it writes it, and how it ends. */
async function follow(
  api: ReveilleClient,
  agent: AgentView,
  wakeupId: string,
  stop: AbortSignal,
): Promise<Ending> {
  const { runId } = await api.untilRun(wakeupId, { signal: stop });
  if (runId !== null) {
    await Promise.all([
      printStream(api, runId, 'stdout', `${agent.name.padEnd(NAME_WIDTH)} | `, stop),
      printStream(api, runId, 'stderr', `${agent.name.padEnd(NAME_WIDTH)} ! `, stop),
    ]);
  }
  const ending = await endingOf(api, wakeupId, stop);
  const { run } = ending;
  const count = run.coalescedCount + 1;
  const served = count > 1 ? ` (${count} wakeups in one run)` : '';
  printLines([`${agent.name.padEnd(NAME_WIDTH)} = ${outcomeText(run)}${served}`]);
  return ending;
}

async function printStream(
  api: ReveilleClient,
  runId: string,
  stream: 'stdout' | 'stderr',
  prefix: string,
  stop: AbortSignal,
): Promise<void> {
  for await (const line of outputLines(api, runId, stream, stop)) printLines([prefix + line]);
}

async function endingOf(api: ReveilleClient, wakeupId: string, stop: AbortSignal): Promise<Ending> {
  const wakeup = await api.untilSettled(wakeupId, { signal: stop });
  if (wakeup.runId === null) throw new Error(`the wakeup ${wakeupId} is ${wakeup.status}, without a run`);
  return { wakeup, run: await api.run(wakeup.runId) };
}

/** For what is awaited later: a failure that comes before that is no unhandled one. */
function begun<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}

function printSummary(agents: readonly AgentView[], endings: readonly Ending[]): void {
  const names = new Map(agents.map(({ id, name }) => [id, name]));
  const columns = [
    { title: 'RUN', of: ({ run }: Ending) => run.id },
    { title: 'AGENT', of: ({ run }: Ending) => names.get(run.agentId ?? '') ?? '-' },
    { title: 'STATUS', of: ({ run }: Ending) => run.status },
    { title: 'WAKEUPS', of: ({ run }: Ending) => `${run.coalescedCount + 1}`, alignsRight: true },
    { title: 'TOOK', of: ({ run }: Ending) => took(run.startedAt, run.finishedAt), alignsRight: true },
    { title: 'EXIT', of: ({ run }: Ending) => `${run.exitCode ?? '-'}`, alignsRight: true },
    { title: 'COST', of: ({ run }: Ending) => dollars(run.costMicros), alignsRight: true },
  ];
  const total = endings.reduce((sum, { run }) => sum + (run.costMicros ?? 0), 0);
  const title = `Four wakeups by hand and one by a timer, ${endings.length} runs, ${dollars(total)}:`;
  printLines(['', title, ...tableLines(columns, endings).map((line) => `  ${line}`)]);
}

function surprisesOf(first: Ending, second: Ending, third: Ending, failed: Ending): string[] {
  const expectations: [string, boolean][] = [
    ['the first text is read', hasSucceeded(first.wakeup) && first.run.exitCode === 0],
    ['reading costs something', (first.run.costMicros ?? 0) > 0],
    ['the second text waits, and then is read', hasSucceeded(second.wakeup) && second.run.exitCode === 0],
    ['the third text is coalesced', third.wakeup.status === 'coalesced' && hasSucceeded(third.wakeup)],
    ['the second and the third text are read in one run', second.run.id === third.run.id],
    ['the texts that came later are read in another run than the first', first.run.id !== second.run.id],
    [
      `the deployer fails with exit code ${DEPLOYER_EXIT_CODE}`,
      failed.run.status === 'failed' && failed.run.exitCode === DEPLOYER_EXIT_CODE,
    ],
  ];
  return expectations.filter(([, holds]) => !holds).map(([what]) => what);
}

/** The deferred wakeup has become exactly one run. */
async function surprisesInHistory(
  api: ReveilleClient,
  companyId: string,
  agentId: string,
  wakeupId: string,
): Promise<string[]> {
  const { items } = await api.runs(companyId, { agentId, limit: 10 });
  const count = items.filter(({ wakeupIds }) => wakeupIds.includes(wakeupId)).length;
  return count === 1 ? [] : [`the deferred wakeup becomes one run, not ${count}`];
}

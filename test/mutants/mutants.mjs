// Ways to break the pure core and what drives it. `find` stands exactly once in `file`. `properties` says that the
// property tests must notice without the examples.

const wakeup = 'src/agents/domain/wakeup.decision.ts';
const due = 'src/agents/domain/due.decision.ts';
const evolve = 'src/agents/domain/agent.evolve.ts';
const aftermath = 'src/agents/domain/run.aftermath.ts';
const schedule = 'src/timers/schedule.ts';
const run = 'src/agents/domain/run.decision.ts';
const decider = 'src/agents/domain/agent.decider.ts';
const state = 'src/agents/domain/agent.state.ts';
const context = 'src/runs/domain/run-context.ts';
const agents = 'src/agents/projections/agents.projection.ts';
const runtimeStates = 'src/agents/projections/runtime-states.projection.ts';
const wakeups = 'src/wakeups/projections/wakeups.projection.ts';
const runs = 'src/runs/projections/runs.projection.ts';
const feed = 'src/processing/feed.ts';
const steadyFollow = 'src/processing/steady-follow.ts';
const progress = 'src/processing/progress.ts';
const projectionRunner = 'src/processing/projection-runner.ts';
const projectedCollection = 'src/processing/projected-collection.ts';
const sagaRunner = 'src/processing/saga-runner.ts';
const store = 'src/event-log/aggregate-store.ts';

/** @type {{ name: string, file: string, find: string, replace: string, properties?: boolean }[]} */
export const mutants = [
  // The order of the decisions about a wakeup.
  {
    name: 'idempotency keys are not looked up',
    file: wakeup,
    find: '  if (findRepeat(command, state)) return [];\n  refuseUnlessWakeable(command, state);',
    replace: '  refuseUnlessWakeable(command, state);',
    properties: true,
  },
  {
    name: 'idempotency keys are looked up after the status',
    file: wakeup,
    find: '  if (findRepeat(command, state)) return [];\n  refuseUnlessWakeable(command, state);',
    replace: '  refuseUnlessWakeable(command, state);\n  if (findRepeat(command, state)) return [];',
  },
  {
    name: 'idempotency keys count for ever',
    file: wakeup,
    find: ' || Date.parse(at) - use.usedAtMs >= KEY_LIFETIME_MS',
    replace: '',
  },
  {
    name: 'idempotency keys count a millisecond longer than a day',
    file: wakeup,
    find: 'use.usedAtMs >= KEY_LIFETIME_MS',
    replace: 'use.usedAtMs > KEY_LIFETIME_MS',
  },
  {
    name: 'idempotency keys count for a second',
    file: state,
    find: 'KEY_LIFETIME_MS = 24 * 3_600_000',
    replace: 'KEY_LIFETIME_MS = 1_000',
    properties: true,
  },
  {
    name: 'a key may be used again for another request',
    file: wakeup,
    find: 'if (use.requestHash !== requestHash)',
    replace: 'if (false)',
  },
  {
    name: 'paused and terminated agents can be woken',
    file: wakeup,
    find: "  if (state.status !== 'active') {",
    replace: "  if (state.status === 'pending_approval') {",
    properties: true,
  },
  {
    name: 'agents that wait for approval can be woken',
    file: wakeup,
    find: "  if (state.status !== 'active') {",
    replace: "  if (!['active', 'pending_approval'].includes(state.status)) {",
    properties: true,
  },
  {
    name: 'a policy that is not enabled stops everything',
    file: wakeup,
    find: "if (asked.source === 'timer' && !policy.enabled) return",
    replace: 'if (!policy.enabled) return',
  },
  {
    name: 'wakeOnDemand stops timers, too',
    file: wakeup,
    find: "if (asked.source !== 'timer' && !policy.wakeOnDemand) return",
    replace: 'if (!policy.wakeOnDemand) return',
  },
  {
    name: 'open wakeups are not counted',
    file: wakeup,
    find: '  refuseTooManyOpen(candidate, state);\n',
    replace: '',
  },
  {
    name: 'one open wakeup too many is taken',
    file: wakeup,
    find: 'state.wakeups.size < MAX_OPEN_WAKEUPS',
    replace: 'state.wakeups.size <= MAX_OPEN_WAKEUPS',
  },
  {
    name: 'open wakeups are counted only where the agent is busy',
    file: wakeup,
    find: '  refuseTooManyOpen(candidate, state);\n',
    replace: '  if (!hasFreeSlot(candidate.asked.coalesceKey, state)) refuseTooManyOpen(candidate, state);\n',
  },
  {
    name: 'a queued run that cannot start now absorbs',
    file: wakeup,
    find: '} else if (run.notBefore !== null || hasFreeSlot(coalesceKey, state)) {',
    replace: '} else {',
  },
  {
    name: 'a queued run of any key absorbs',
    file: wakeup,
    find: "if (run.status !== 'queued' || run.coalesceKey !== coalesceKey) continue;",
    replace: "if (run.status !== 'queued') continue;",
    properties: true,
  },
  {
    name: 'a deferred wakeup of any key absorbs',
    file: wakeup,
    find: 'if (isBusy && wakeup.coalesceKey === coalesceKey && ',
    replace: 'if (isBusy && ',
    properties: true,
  },
  {
    name: 'a wakeup that is not deferred any more absorbs',
    file: evolve,
    find: '  wakeup.deferral = null;\n',
    replace: '',
    properties: true,
  },
  {
    name: 'a deferred wakeup with a due time absorbs',
    file: wakeup,
    find: "const isBusy = wakeup.deferral?.reason === 'agent.busy';",
    replace: 'const isBusy = wakeup.deferral;',
  },
  {
    name: 'enqueued wakeups are coalesced',
    file: wakeup,
    find: "absorbingRun(candidate, whenBusy === 'enqueue', state)",
    replace: 'absorbingRun(candidate, false, state)',
  },
  {
    name: 'enqueued wakeups go into a deferred one',
    file: wakeup,
    find: "whenBusy === 'enqueue' ? undefined : waitingWakeup",
    replace: 'waitingWakeup',
  },
  {
    name: 'a busy agent never rejects',
    file: wakeup,
    find: "    case 'reject':\n      throw new DomainError('agent_busy');\n",
    replace: "    case 'reject':\n",
  },
  {
    name: 'a deferral has an hour instead of a day',
    file: wakeup,
    find: 'const DEFERRAL_LIFETIME_MS = 24 * 3_600_000',
    replace: 'const DEFERRAL_LIFETIME_MS = 3_600_000',
  },

  // Slots and keys.
  {
    name: 'slots are not counted',
    file: state,
    find: '  if (runningCount(state) >= policyOf(state).maxConcurrentRuns) return false;\n',
    replace: '',
    properties: true,
  },
  {
    name: 'one run too many fits',
    file: state,
    find: 'runningCount(state) >= policyOf',
    replace: 'runningCount(state) > policyOf',
    properties: true,
  },
  {
    name: 'two runs of one key may run at once',
    file: state,
    find: "if (run.status === 'running' && run.coalesceKey === coalesceKey) return false;",
    replace: '',
    properties: true,
  },
  {
    name: 'the whole agent is no key: two such runs may run at once',
    file: state,
    find: "if (run.status === 'running' && run.coalesceKey === coalesceKey) return false;",
    replace: "if (run.status === 'running' && coalesceKey && run.coalesceKey === coalesceKey) return false;",
    properties: true,
  },
  {
    name: 'a run is started without looking for a slot',
    file: run,
    find: "  if (!hasFreeSlot(run.coalesceKey, state)) throw notStartable('no_free_slot');\n",
    replace: '',
    properties: true,
  },
  {
    name: 'runs of a paused agent are started',
    file: run,
    find: "  if (state.status !== 'active') throw notStartable(state.status);\n",
    replace: '',
    properties: true,
  },
  {
    name: 'a running run is claimed again',
    file: run,
    find: "    throw notStartable('claimed');\n",
    replace: '',
  },
  {
    name: 'a claim that is repeated is refused',
    file: run,
    find: '    if (run.claim?.claimId === command.claimId) return [];\n',
    replace: '',
  },
  {
    name: 'a run does not get the session of its agent',
    file: run,
    find: 'sessionIdBefore: sessionOf(state, run.taskKey),',
    replace: 'sessionIdBefore: null,',
    properties: true,
  },

  // Releasing.
  {
    name: 'wakeups are released without a slot',
    file: due,
    find: '  if (taken >= policyOf(state).maxConcurrentRuns) return [];\n',
    replace: '',
  },
  {
    name: 'only running runs take the slots of released wakeups',
    file: due,
    find: 'if (run.notBefore === null || run.notBefore <= at) taken',
    replace: "if (run.status === 'running') taken",
  },
  {
    name: 'wakeups are released beside a run of their key',
    file: due,
    find: '    if (run.coalesceKey === wakeup.coalesceKey) return [];\n',
    replace: '',
  },
  {
    name: 'a paused agent releases its wakeups',
    file: due,
    find: "if (state.status !== 'active' || companyPaused) return [];\n",
    replace: 'if (companyPaused) return [];\n',
  },
  {
    name: 'nothing is ever released',
    file: due,
    find: "if (state.status !== 'active' || companyPaused) return [];\n",
    replace: 'if (state) return [];\n',
  },
  {
    name: 'the end of a run releases nothing',
    file: 'src/agents/sagas/deferred-release.saga.ts',
    find: "handles: ['RunFinished', 'AgentResumed', 'AgentUpdated', 'AgentBudgetRestored', 'SessionReset'],",
    replace: "handles: ['AgentResumed', 'AgentUpdated', 'AgentBudgetRestored', 'SessionReset'],",
    properties: true,
  },
  {
    name: 'a resumed agent releases nothing',
    file: 'src/agents/sagas/deferred-release.saga.ts',
    find: "handles: ['RunFinished', 'AgentResumed', 'AgentUpdated', 'AgentBudgetRestored', 'SessionReset'],",
    replace: "handles: ['RunFinished', 'AgentUpdated', 'AgentBudgetRestored', 'SessionReset'],",
    properties: true,
  },

  // Endings.
  {
    name: 'a run can be asked to end twice',
    file: run,
    find: '  if (run.endCause) return [];\n',
    replace: '',
    properties: true,
  },
  {
    name: 'the last cause on the stream wins',
    file: evolve,
    find: 'run.endCause ??= event.data.cause;',
    replace: 'run.endCause = event.data.cause;',
  },
  {
    name: 'a queued run is asked to end instead of ended',
    file: run,
    find: "  if (run.status === 'queued') return [finishedUnstarted(run, cause, at, state)];\n",
    replace: '',
    properties: true,
  },
  {
    name: 'what was recorded first does not decide the outcome',
    file: run,
    find: '  if (run.endCause) return endCauses[run.endCause];\n',
    replace: '',
    properties: true,
  },
  {
    name: 'a survivor of SIGKILL counts as cancelled',
    file: run,
    find: "  if (errorCode === 'kill_failed') return { status: 'failed', errorCode, error };\n",
    replace: '',
  },
  {
    name: 'a reported error is no failure',
    file: run,
    find: '  if (report?.errorMessage) {',
    replace: '  if (false && report) {',
  },
  {
    name: 'every exit code is a success',
    file: run,
    find: 'if (exitCode === null || exitCode === 0) return',
    replace: 'if (exitCode !== -1) return',
  },
  {
    name: 'no exit code is a failure',
    file: run,
    find: 'if (exitCode === null || exitCode === 0) return',
    replace: 'if (exitCode === 0) return',
  },
  {
    name: 'claims are not compared',
    file: run,
    find: 'if (run.claim?.claimId !== command.claimId || run.claim.nodeId !== command.nodeId) {',
    replace: 'if (!run.claim) {',
    properties: true,
  },
  {
    name: 'the node of a claim is not compared',
    file: run,
    find: ' || run.claim.nodeId !== command.nodeId) {',
    replace: ') {',
  },
  {
    name: 'a final run stays open and can be finished again',
    file: evolve,
    find: '  state.runs.delete(data.runId);\n',
    replace: '',
    properties: true,
  },
  {
    name: 'the wakeup of a final run stays open',
    file: evolve,
    find: '  if (!data.willRetry) state.wakeups.delete(data.wakeupId);\n',
    replace: '',
    properties: true,
  },
  {
    name: 'every run is the last one running',
    file: run,
    find: 'lastRunning: runningCount(state) === 1,',
    replace: 'lastRunning: true,',
    properties: true,
  },

  // The session.
  {
    name: 'a reset during a run is forgotten',
    file: evolve,
    find: "if (run.status === 'running' && run.taskKey === taskKey) run.sessionReset = true;",
    replace: '',
    properties: true,
  },
  {
    name: 'a reset does not win over the result',
    file: run,
    find: '  if (run.sessionReset) return current;\n',
    replace: '',
    properties: true,
  },
  {
    name: 'a reset concerns queued runs, too',
    file: evolve,
    find: "if (run.status === 'running' && run.taskKey === taskKey) run.sessionReset = true;",
    replace: 'if (run.taskKey === taskKey) run.sessionReset = true;',
    properties: true,
  },
  {
    name: 'a session is never cleared by a result',
    file: run,
    find: '  if (outcome.report?.clearSession) return null;\n',
    replace: '',
  },
  {
    name: 'a result without a session forgets it',
    file: run,
    find: 'return outcome.report?.sessionId ?? current;',
    replace: 'return outcome.report?.sessionId ?? null;',
  },
  {
    name: 'a run that was never claimed takes the session away',
    file: evolve,
    find: '  if (data.claimId === null) return;\n',
    replace: '',
    properties: true,
  },

  // The agent itself.
  {
    name: 'a repeated registration registers again',
    file: decider,
    find: "  if (state.status !== 'unregistered') return [];\n",
    replace: '',
  },
  {
    name: 'an update from an old version is taken',
    file: decider,
    find: 'if (command.baseVersion !== state.version) {',
    replace: 'if (command.baseVersion > state.version) {',
  },
  {
    name: 'an update that changes nothing is recorded',
    file: decider,
    find: '  if (changed.length === 0) return [];\n',
    replace: '',
  },
  {
    name: 'pausing leaves the runs alone',
    file: decider,
    find: "    ...running.flatMap((run) => endRun(run, 'pause', at, state)),\n",
    replace: '',
  },
  {
    name: 'pausing ends queued runs, too',
    file: decider,
    find: ".filter((run) => run.status === 'running');",
    replace: ';',
  },
  {
    name: 'terminating leaves the runs alone',
    file: decider,
    find: "    ...[...state.runs.values()].flatMap((run) => endRun(run, 'terminate', at, state)),\n",
    replace: '',
    properties: true,
  },
  {
    name: 'terminating does not cancel what is deferred',
    file: decider,
    find: ".filter((wakeup) => wakeup.status === 'deferred');",
    replace: '.filter(() => false);',
    properties: true,
  },
  {
    name: 'terminating cancels wakeups that have a run',
    file: decider,
    find: ".filter((wakeup) => wakeup.status === 'deferred');",
    replace: ';',
    properties: true,
  },
  {
    name: 'a terminated agent can be resumed',
    file: decider,
    find: "      refuseStatus(state, 'terminated', 'pending_approval');\n      return resume(state);",
    replace: "      return resume({ ...state, status: 'paused' });",
    properties: true,
  },

  // The state.
  {
    name: 'keys are never forgotten',
    file: evolve,
    find: '    state.keys.delete(oldest);\n',
    replace: '    return;\n',
  },
  {
    name: 'a key that is used anew keeps its old place',
    file: evolve,
    find: '  state.keys.delete(data.keyHash);\n',
    replace: '',
  },
  {
    name: 'payloads are kept in the state',
    file: evolve,
    find: 'data: { ...data, payload: null, contextSnapshot: null }',
    replace: 'data',
  },
  {
    name: 'all requests of a run are kept',
    file: evolve,
    find: '.slice(-MAX_CONTEXT_WAKEUPS)]',
    replace: ']',
  },
  {
    name: 'the first request of a run is not kept',
    file: evolve,
    find: '[first!, ...[...others, ...added].slice(-MAX_CONTEXT_WAKEUPS)]',
    replace: '[first!, ...others, ...added].slice(-MAX_CONTEXT_WAKEUPS - 1)',
  },
  {
    name: 'coalesced requests are not counted',
    file: evolve,
    find: '  wakeup.coalescedCount += count;\n',
    replace: '',
    properties: true,
  },
  {
    name: 'an update does not reach the policy in force',
    file: evolve,
    find: '      state.configuration = { name, adapterType, adapterConfig, runtimeConfig };\n',
    replace: '',
    properties: true,
  },

  // The context of a run.
  {
    name: 'what a client put into the context is overwritten',
    file: context,
    find: "  if (typeof present === 'string' && present.trim() !== '') return;\n",
    replace: '',
  },
  {
    name: 'blank strings in the context are kept',
    file: context,
    find: "present.trim() !== ''",
    replace: "present !== ''",
  },
  {
    name: 'the oldest 100 wakeups are told',
    file: context,
    find: 'wakeups.slice(-MAX_WAKEUPS)',
    replace: 'wakeups.slice(0, MAX_WAKEUPS)',
  },
  {
    name: 'a context of any size is composed',
    file: context,
    find: '    if (bytes > MAX_WAKEUPS_BYTES) break;\n',
    replace: '',
  },
  {
    name: 'nobody says that wakeups were omitted',
    file: context,
    find: "  if (wakeups.length < total) context['wakeupsOmitted'] = total - wakeups.length;\n",
    replace: '',
  },

  // The read models.
  {
    name: 'a paused agent that has a run is shown as running',
    file: agents,
    find: 'if (hold !== null) return {',
    replace: 'if (hold !== null && activeRunIds.length === 0) return {',
    properties: true,
  },
  {
    name: 'the first run that ends decides the status of the agent',
    file: agents,
    find: "restingStatus: data.lastRunning ? (failed ? 'error' : 'idle') : document.restingStatus",
    replace: "restingStatus: failed || document.restingStatus === 'error' ? 'error' : 'idle'",
  },
  {
    name: 'what was spent is never set back',
    file: 'src/budgets/domain/spending.ts',
    find: 'return newest.month === month ? newest : noSpending(month);',
    replace: 'return { ...newest, month };',
  },
  {
    name: 'the session of a reset run is shown',
    file: runtimeStates,
    find: 'data.sessionReset || data.taskKey !== document.taskKey',
    replace: 'data.taskKey !== document.taskKey',
  },
  {
    name: 'a released wakeup is answered with its release',
    file: wakeups,
    find: 'isDecided ? document.decidedPosition : position.toString()',
    replace: 'position.toString()',
  },
  {
    name: 'a cancelled wakeup still names a run',
    file: wakeups,
    find: "        status: 'cancelled',\n        runId: null,",
    replace: "        status: 'cancelled',",
  },
  {
    name: 'a reserved run outlives its wakeup',
    file: runs,
    find: "return { ...existing(document, recorded), droppedAs: 'cancelled' };",
    replace: 'return document;',
  },
  {
    name: 'a follow-up counts its own wakeup twice',
    file: runs,
    find: '  if (document.wakeupId === wakeupId) return document;\n',
    replace: '',
  },

  // The lines of a run.
  {
    name: 'a lost process is not told as such',
    file: 'src/runs/sagas/execution.saga.ts',
    find: "return errorCode === 'process_lost' ? lifecycle.processLost : lifecycle[status];",
    replace: 'return errorCode ? lifecycle[status] : lifecycle[status];',
  },

  // Following the log.
  {
    name: 'a consumer is attached when it has caught up',
    file: feed,
    find: `      this.attached.add(waiting);
      const handover = this.position;
      try {
        for await (const batch of this.catchUp(reached, handover, ended)) {
          yield batch;
          reached = batch.reached;
        }
`,
    replace: `      const handover = this.position;
      try {
        for await (const batch of this.catchUp(reached, handover, ended)) {
          yield batch;
          reached = batch.reached;
        }
        this.attached.add(waiting);
`,
  },
  {
    name: 'what a consumer has read for itself is brought again',
    file: feed,
    find: '          if (batch.reached <= reached) continue;\n          yield { events: newerThan(reached, batch.events)',
    replace: '          yield { events: batch.events',
  },
  {
    name: 'the feed does not know how far it has come',
    file: feed,
    find: '      this.position = batch.reached;\n',
    replace: '',
  },
  {
    name: 'after an interruption the feed follows from where it began',
    file: steadyFollow,
    find: '        reached = batch.reached;\n        retryMs = FIRST_RETRY_MS;\n',
    replace: '',
  },
  {
    name: 'an interruption ends the feed',
    file: steadyFollow,
    find: '!error.resumable) return;',
    replace: 'error) return;',
  },
  {
    name: 'a consumer that cannot catch up goes on with what comes',
    file: feed,
    find: '    if (!ended.aborted) throw',
    replace: '    if (false) throw',
  },
  {
    name: 'what is too much for a consumer is dropped',
    file: feed,
    find: '      this.overflown = true;\n',
    replace: '',
  },
  {
    name: 'a slow consumer gets the last of what waited',
    file: feed,
    find: '[first, ...rest].flatMap(({ events }) => events)',
    replace: 'rest.at(-1)!.events',
  },
  {
    name: 'positions of filtered events take waiting events along',
    file: feed,
    find: '= { ...last, reached };',
    replace: '= batch;',
  },
  {
    name: 'progress goes back',
    file: progress,
    find: '    if (position <= this.current) return;\n    this.current',
    replace: '    this.current',
  },
  {
    name: 'who waits for a consumer that has stopped goes on waiting',
    file: progress,
    find: '    for (const waiter of this.waiters.splice(0)) this.release(waiter, () => waiter.reject(error));\n',
    replace: '    void error;\n',
  },

  // Projections and sagas at work.
  {
    name: 'a projection loads a document anew for each event',
    file: projectedCollection,
    find: 'this.evolve(before, recorded)',
    replace: 'this.evolve(null, recorded)',
  },
  {
    name: 'a projection stores the checkpoint of the first event of a batch',
    file: projectedCollection,
    find: 'position: events.at(-1)!.position };',
    replace: 'position: events[0]!.position };',
  },
  {
    name: 'a projection that fails says nothing',
    file: projectionRunner,
    find: '      this.progress.stop(error);\n',
    replace: '',
  },
  {
    name: 'a projection handles only the first 1,000 events of a batch',
    file: projectedCollection,
    find: 'from += MAX_FOLDED',
    replace: 'from += Infinity',
  },
  {
    name: 'a saga does not wait for its commands',
    file: sagaRunner,
    find: '          await this.executeAll(handled, signal);\n',
    replace: '          void this.executeAll(handled, signal);\n',
  },
  {
    name: 'a saga that is stopped in a batch stores its checkpoint',
    file: sagaRunner,
    find: '          if (signal.aborted) break;\n',
    replace: '',
  },
  {
    name: 'a saga stores no checkpoint',
    file: sagaRunner,
    find: '    await this.documents.writeBatch({ collection: CHECKPOINTS.name, writes: [], checkpoint });\n',
    replace: '',
  },
  {
    name: 'a saga does not try again',
    file: sagaRunner,
    find: 'await untilAvailable(() => this.execute(command, cause), signal, areDocumentsAway);',
    replace: 'await this.execute(command, cause);',
  },
  {
    name: 'a refused command stops its saga',
    file: sagaRunner,
    find: 'if (signal.aborted || error instanceof DomainError) return;',
    replace: 'if (signal.aborted) return;',
  },
  {
    name: 'a broken command does not stop its saga',
    file: sagaRunner,
    find: 'if (signal.aborted || error instanceof DomainError) return;',
    replace: 'if (error) return;',
  },
  {
    name: 'commands of one key run side by side',
    file: sagaRunner,
    find: 'for (const { command, cause } of lane) await this.executeOne(command, cause, signal);',
    replace: 'await Promise.all(lane.map((one) => this.executeOne(one.command, one.cause, signal)));',
  },
  {
    name: 'commands of all keys run one after the other',
    file: sagaRunner,
    find: 'byKey.get(command.key);\n        if (lane) lane.push({ command, cause });\n        else byKey.set(command.key,',
    replace: "byKey.get('');\n        if (lane) lane.push({ command, cause });\n        else byKey.set('',",
  },

  // Load, decide, append.
  {
    name: 'a refusal on an old state stands',
    file: store,
    find: '        if (await this.foldNew(stream, loaded)) continue;\n',
    replace: '',
  },
  {
    name: 'a conflict is passed on',
    file: store,
    find: '        if (!(error instanceof RevisionConflict)) throw error;\n',
    replace: '        throw error;\n',
  },
  {
    name: 'a refused command takes the others along',
    file: store,
    find: '        if (!(error instanceof DomainError)) throw error;\n',
    replace: '        throw error;\n',
  },
  {
    name: 'appends of any size are made',
    file: store,
    find: '        if (bytes > MAX_FOLDED_BYTES && round.sealed.length > 0) break;\n',
    replace: '',
  },
  {
    name: 'appends are measured in characters',
    file: store,
    find: 'Buffer.byteLength(data)',
    replace: 'data.length',
  },
  {
    name: 'any number of commands is folded',
    file: store,
    find: 'mailbox.splice(0, MAX_FOLDED_COMMANDS)',
    replace: 'mailbox.splice(0)',
  },
  {
    name: 'commands are appended one by one',
    file: store,
    find: 'mailbox.splice(0, MAX_FOLDED_COMMANDS)',
    replace: 'mailbox.splice(0, 1)',
  },
  {
    name: 'each command is answered with the first events of the append',
    file: store,
    find: 'recorded.slice(first, first + count)',
    replace: 'recorded.slice(0, count)',
  },
  {
    name: 'the hash chain breaks between two commands',
    file: store,
    find: '        loaded.lastHash = sealed.at(-1)?.metadata.hash ?? loaded.lastHash;\n',
    replace: '',
  },
  {
    name: 'a state of unknown fate is kept',
    file: store,
    find: '        this.cache.delete(stream);\n        const reason',
    replace: '        const reason',
  },
  {
    name: 'a log that cannot be read is a bug',
    file: store,
    find: '  if (!(error instanceof LogUnavailable)) return error;\n',
    replace: '  if (error) return error;\n',
  },
  {
    name: 'nothing is cached',
    file: store,
    find: '    this.cache.set(stream, loaded);\n    if',
    replace: '    if',
  },
  {
    name: 'an append whose fate is unknown is given up at once',
    file: 'src/event-log/append-surely.ts',
    find: '      if (!(error instanceof LogUnavailable)) throw error;\n',
    replace: '      throw error;\n',
  },

  // Time: delays, retries, caps, timers.
  {
    name: 'a delayed wakeup is taken for the last request',
    file: evolve,
    find: 'delayed ? absorbedWhenDue(delayed) : absorbedFrom(requestOf(state))',
    replace: 'absorbedFrom(requestOf(state))',
  },
  {
    name: 'a delayed wakeup that was coalesced stays open',
    file: evolve,
    find: '    state.wakeups.delete(wakeupId);\n    absorbed.push',
    replace: '    absorbed.push',
    properties: true,
  },
  {
    name: 'every wakeup interrupts',
    file: wakeup,
    find: 'running.endCause || sinceLastMs < policyOf(state).graceSec * 1_000',
    replace: 'running.endCause',
  },
  {
    name: 'what came before the exit gets a follow-up, too',
    file: aftermath,
    find: 'requestedMs > exitedMs',
    replace: 'requestedMs >= exitedMs || true',
  },
  {
    name: 'the daily cap is not asked at the start',
    file: run,
    find: 'startsOn(state, command.at) >= maxDailyRuns',
    replace: 'false',
    properties: true,
  },
  {
    name: 'starts are never counted anew',
    file: state,
    find: 'state.startsToday.day === at.slice(0, 10) ? state.startsToday.count : 0',
    replace: 'state.startsToday.count',
  },
  {
    name: 'queued runs do not count for the daily cap',
    file: wakeup,
    find: 'startsOn(state, at) + queued >=',
    replace: 'startsOn(state, at) >=',
  },
  {
    name: 'a retry starts before its time',
    file: run,
    find: "  if (run.notBefore !== null && run.notBefore > command.at) throw notStartable('not_before', run.notBefore);\n",
    replace: '',
    properties: true,
  },
  {
    name: 'a cancelled run is tried again',
    file: aftermath,
    find: "if (status !== 'failed' && status !== 'timed_out') return false;",
    replace: "if (status === 'succeeded') return false;",
    properties: true,
  },
  {
    name: 'a run is tried again beside a process that still lives',
    file: aftermath,
    find: "  if (errorCode === 'kill_failed') return false;\n",
    replace: '',
    properties: true,
  },
  {
    name: 'a run is tried once too often',
    file: aftermath,
    find: 'run.attempt < retry.maxAttempts',
    replace: 'run.attempt <= retry.maxAttempts',
  },
  {
    name: 'the pauses between attempts do not double',
    file: aftermath,
    find: ' * 2 ** (run.attempt - 1)',
    replace: '',
  },
  {
    name: 'what waits is not absorbed by a retry',
    file: aftermath,
    find: '  const waiting = waitingFor(run, state);',
    replace: '  const waiting = undefined;',
  },
  {
    name: 'a retry that waits takes a slot from the released',
    file: due,
    find: 'if (run.notBefore === null || run.notBefore <= at) taken',
    replace: 'if (run) taken',
  },
  {
    name: 'a failed trial does not open the circuit again',
    file: wakeup,
    find: 'return at < coolUntil || state.runs.size > 0;',
    replace: 'return at < coolUntil;',
  },
  {
    name: 'the circuit is closed for people, too',
    file: wakeup,
    find: "coolUntil === null || triggerDetail === 'manual'",
    replace: 'coolUntil === null',
  },
  {
    name: 'a success does not close the circuit',
    file: evolve,
    find: "  if (data.status === 'succeeded') state.failures = { count: 0, lastMs: 0 };\n",
    replace: '',
  },
  {
    name: 'deadlines do not count while the agent is paused',
    file: due,
    find: 'if (wakeup.deferral!.deadlineAt <= at)',
    replace: "if (state.status === 'active' && wakeup.deferral!.deadlineAt <= at)",
  },
  {
    name: 'what is held is held again each time',
    file: due,
    find: 'return waitsForItsTime && deferral.dueAt',
    replace: 'return deferral !== null && deferral.dueAt',
  },
  {
    name: 'being decided anew renews the deadline',
    file: wakeup,
    find: 'notBefore ?? state.wakeups.get(candidate.wakeupId)?.deferral?.dueAt ?? null',
    replace: 'notBefore',
  },
  {
    name: 'a timer goes off before its time',
    file: due,
    find: 'timer && state.nextDue && state.nextDue.at <= at',
    replace: 'timer && state.nextDue',
  },
  {
    name: 'a stale schedule is taken',
    file: due,
    find: 'const isStale = version !== state.version || state.status',
    replace: 'const isStale = state.status',
  },
  {
    name: 'what was missed is always made up for',
    file: due,
    find: "timer.missed && policyOf(state).catchUp === 'skip' ? 'timer.missed' : null",
    replace: 'null',
  },
  {
    name: 'several timer runs wait under enqueue',
    file: wakeup,
    find: "      if (source === 'timer' && run.source === 'timer') return run;\n",
    replace: '',
  },
  {
    name: 'deciding changes the given state',
    file: due,
    find: '    if (!this.isOwn)\n',
    replace: '    if (false)\n',
    properties: true,
  },
  {
    name: 'a cancelled wakeup lets its run go on',
    file: due,
    find: "  if (run) return endRun(run, 'cancel', at, state);\n",
    replace: '',
    properties: true,
  },
  {
    name: 'a paused company does not stop its agents from starting',
    file: run,
    find: "  if (command.companyPaused) throw notStartable('company.paused');\n",
    replace: '',
  },
  {
    name: 'a task shares the session of its agent',
    file: state,
    find: 'taskKey === null ? state.sessions.own : (state.sessions.byTask.get(taskKey) ?? null)',
    replace: 'state.sessions.own',
    properties: true,
  },
  {
    name: 'an interval is counted from the late tick',
    file: schedule,
    find: 'baseMs + (gone + 1) * intervalMs',
    replace: 'now.getTime() + intervalMs',
  },
  {
    name: 'a jittered time shifts the ones after it',
    file: schedule,
    find: 'const baseMs = Date.parse(due.base);',
    replace: 'const baseMs = Date.parse(due.at);',
  },
  {
    name: 'crons are read in UTC',
    file: schedule,
    find: "timezone: timezone ?? 'UTC'",
    replace: "timezone: 'UTC'",
  },
];

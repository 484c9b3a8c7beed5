import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Digest {
  bytes: number;
  sha256: string;
}

/** An agent's own account of one run (see `agent.cjs`). */
export interface JournaledRun {
  agentId: string;
  /** One for each process that was started for it: one is right. */
  starts: {
    pid: number;
    key: string | null;
    /** The agent's other runs that were alive at that moment. */
    beside: { runId: string; key: string | null }[];
  }[];
  /** `done` is on disk for certain; of what lies between that and `announced`, any part may be. */
  output: Record<'stdout' | 'stderr', { announced: Digest; done: Digest }>;
  /** What the lines of the events file said, and what the result said; micro-dollars. */
  booked: { announced: number; done: number };
  reported: { announced: number | null; done: number | null };
  /** Null: it was ended before it came to that. */
  exitCode: number | null;
}

const NOTHING: Digest = {
  bytes: 0,
  sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
};

type Line = { runId: string; agentId: string } & (
  | ({ what: 'start' } & JournaledRun['starts'][number])
  | ({ what: 'writes' | 'wrote'; stream: 'stdout' | 'stderr' } & Digest)
  | { what: 'books' | 'booked' | 'reports' | 'reported'; costMicros: number }
  | { what: 'end'; exitCode: number }
);

/** What all agents wrote down, by run. */
export function readJournal(folder: string): Map<string, JournaledRun> {
  const runs = new Map<string, JournaledRun>();
  for (const text of readFileSync(join(folder, 'journal.ndjson'), 'utf8').split('\n')) {
    if (text === '') continue;
    const line = JSON.parse(text) as Line;
    const run = runs.get(line.runId) ?? emptyRun(line.agentId);
    runs.set(line.runId, run);
    enter(run, line);
  }
  return runs;
}

function emptyRun(agentId: string): JournaledRun {
  const output = () => ({ announced: NOTHING, done: NOTHING });
  return {
    agentId,
    starts: [],
    output: { stdout: output(), stderr: output() },
    booked: { announced: 0, done: 0 },
    reported: { announced: null, done: null },
    exitCode: null,
  };
}

function enter(run: JournaledRun, line: Line): void {
  switch (line.what) {
    case 'start':
      run.starts.push({ pid: line.pid, key: line.key, beside: line.beside });
      return;
    case 'writes':
    case 'wrote': {
      const { stream, bytes, sha256 } = line;
      run.output[stream][line.what === 'wrote' ? 'done' : 'announced'] = { bytes, sha256 };
      return;
    }
    case 'books':
    case 'booked':
      run.booked[line.what === 'booked' ? 'done' : 'announced'] = line.costMicros;
      return;
    case 'reports':
    case 'reported':
      run.reported[line.what === 'reported' ? 'done' : 'announced'] = line.costMicros;
      return;
    case 'end':
      run.exitCode = line.exitCode;
  }
}

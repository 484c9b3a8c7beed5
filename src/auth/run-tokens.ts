import { z } from 'zod';
import type { AgentsStore } from '../agents/agents.store';
import type { Clock } from '../kernel/clock';
import { claimsOf, signedToken } from './hs256';
import type { Principal } from './principal';

const ISSUER = 'reveille';
/** How long the token of a run without a timeout may live; that of another one lives as long as its run may. */
const WITHOUT_TIMEOUT_SEC = 24 * 3_600;
/** For a run that has been told to end to be over. */
const SPARE_SEC = 300;

const claims = z.object({
  iss: z.literal(ISSUER),
  /** The agent. */
  sub: z.string(),
  company: z.string(),
  run: z.string(),
  adapter: z.string(),
  iat: z.number(),
  exp: z.number(),
});

/** What of a claimed run its token is made of. */
export interface TokenRun {
  companyId: string;
  agentId: string;
  runId: string;
  adapterType: string;
  startedAt: string;
  limits: { timeoutSec: number; graceSec: number };
}

/**
 * The tokens that runs are given as `REVEILLE_API_KEY`. None is kept anywhere: a token says which run it is of, and it
 * is worth something as long as the log says that this run is running.
 */
export class RunTokens {
  constructor(
    private readonly secret: Buffer,
    private readonly agents: Pick<AgentsStore, 'inspect'>,
    private readonly clock: Clock,
  ) {}

  /** Always the same for a run, so that a server that takes it up again knows what to mask. */
  of({ companyId, agentId, runId, adapterType, startedAt, limits }: TokenRun): string {
    const { timeoutSec, graceSec } = limits;
    const iat = Math.floor(Date.parse(startedAt) / 1_000);
    const exp = iat + (timeoutSec === 0 ? WITHOUT_TIMEOUT_SEC : timeoutSec + graceSec + SPARE_SEC);
    const said = {
      iss: ISSUER,
      sub: agentId,
      company: companyId,
      run: runId,
      adapter: adapterType,
      iat,
      exp,
    };
    return signedToken(said, this.secret);
  }

  /** Null: it is none of ours, has expired, or its run is over. @throws DomainError `log_unavailable` */
  async principal(token: string): Promise<Principal | null> {
    const { data } = claims.safeParse(claimsOf(token, this.secret));
    if (!data || data.exp * 1_000 <= this.clock.now().getTime()) return null;
    const { sub: agentId, company: companyId, run: runId, exp } = data;
    const isRunning = await this.agents.inspect(
      { companyId, agentId },
      (state) => state.status !== 'unregistered' && state.runs.get(runId)?.status === 'running',
    );
    if (!isRunning) return null;
    return {
      actor: { type: 'agent', id: agentId },
      companyId,
      role: 'agent',
      key: runKey(runId),
      expiresAt: new Date(exp * 1_000).toISOString(),
      agentId,
      runId,
    };
  }
}

export function runKey(runId: string): string {
  return `run/${runId}`;
}

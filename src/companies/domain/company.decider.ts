import type { AccessTokenCommand, LivingTokens } from '../../auth/domain/access-token.decision';
import { decideAccessToken, evolveAccessTokens } from '../../auth/domain/access-token.decision';
import type { ModelPrice } from '../../costs/domain/prices';
import type { Decider } from '../../kernel/decider';
import { canonicalJson } from '../../kernel/canonical-json';
import { assertNever } from '../../kernel/decider';
import { DomainError } from '../../kernel/errors';
import type { CompanyEvent } from './company.events';

export interface CompanyState {
  status: 'unregistered' | 'active' | 'paused';
  prices: readonly ModelPrice[];
  tokens: LivingTokens;
  revision: number;
}

export type CompanyCommand =
  | { type: 'RegisterCompany'; at: string; companyId: string; name: string; externalKey: string | null }
  | { type: 'PauseCompany'; at: string; companyId: string }
  | { type: 'ResumeCompany'; at: string; companyId: string }
  | { type: 'ChangePriceTable'; at: string; companyId: string; prices: readonly ModelPrice[] }
  | AccessTokenCommand;

export const companyDecider: Decider<CompanyState, CompanyCommand, CompanyEvent> = {
  initial: () => ({ status: 'unregistered', prices: [], tokens: new Map(), revision: -1 }),
  decide(command, { status, prices, tokens }) {
    const { companyId } = command;
    if (command.type === 'RegisterCompany') {
      const { name, externalKey } = command;
      return status === 'unregistered'
        ? [{ type: 'CompanyRegistered', data: { companyId, name, externalKey } }]
        : [];
    }
    if (status === 'unregistered') throw new DomainError('company_not_found');
    switch (command.type) {
      case 'PauseCompany':
        return status === 'active' ? [{ type: 'CompanyPaused', data: { companyId } }] : [];
      case 'ResumeCompany':
        return status === 'paused' ? [{ type: 'CompanyResumed', data: { companyId } }] : [];
      case 'ChangePriceTable':
        return canonicalJson(prices) === canonicalJson(command.prices)
          ? []
          : [{ type: 'PriceTableChanged', data: { companyId, prices: command.prices } }];
      case 'CreateAccessToken':
      case 'RevokeAccessToken':
        return decideAccessToken(command, tokens);
      default:
        return assertNever(command, 'company command');
    }
  },
  evolve(state, event) {
    const revision = state.revision + 1;
    switch (event.type) {
      case 'CompanyRegistered':
      case 'CompanyResumed':
        return { ...state, status: 'active', revision };
      case 'CompanyPaused':
        return { ...state, status: 'paused', revision };
      case 'PriceTableChanged':
        return { ...state, prices: event.data.prices, revision };
      case 'AccessTokenCreated':
      case 'AccessTokenRevoked':
        return { ...state, tokens: evolveAccessTokens(state.tokens, event), revision };
      default:
        return assertNever(event, 'company event');
    }
  },
};

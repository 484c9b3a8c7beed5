import type { Decider } from '../../kernel/decider';
import type { CompanyEvent } from './company.events';

export interface CompanyState {
  registered: boolean;
  revision: number;
}

export interface RegisterCompany {
  type: 'RegisterCompany';
  at: string;
  companyId: string;
  name: string;
  externalKey: string | null;
}

export const companyDecider: Decider<CompanyState, RegisterCompany, CompanyEvent> = {
  initial: () => ({ registered: false, revision: -1 }),
  decide({ companyId, name, externalKey }, state) {
    if (state.registered) return [];
    return [{ type: 'CompanyRegistered', data: { companyId, name, externalKey } }];
  },
  evolve: (state) => ({ registered: true, revision: state.revision + 1 }),
};

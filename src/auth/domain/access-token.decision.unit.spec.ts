import { givenFor } from '../../../test/support/given';
import { companyDecider } from '../../companies/domain/company.decider';
import type { CompanyEvent } from '../../companies/domain/company.events';
import { MAX_TOKENS } from './access-token.decision';

const given = givenFor(companyDecider);

const companyId = 'company-1';
const at = '2026-01-01T00:00:00.000Z';
const later = '2026-02-01T00:00:00.000Z';
const registered: CompanyEvent = {
  type: 'CompanyRegistered',
  data: { companyId, name: 'Acme', externalKey: null },
};

const token = (n: number, expiresAt = later) => ({
  ...{
    companyId,
    tokenId: `t${n}`,
    name: 'n',
    role: 'viewer' as const,
    agentId: null,
    hash: `h${n}`,
    expiresAt,
  },
});
const create = (n: number, now = at) => ({ type: 'CreateAccessToken', at: now, ...token(n) }) as const;
const revoke = (n: number) => ({ type: 'RevokeAccessToken', at, companyId, tokenId: `t${n}` }) as const;
const created = (n: number, expiresAt = later, createdAt = at): CompanyEvent => ({
  type: 'AccessTokenCreated',
  data: { ...token(n, expiresAt), createdAt },
});
const revoked = (n: number): CompanyEvent => ({
  type: 'AccessTokenRevoked',
  data: { companyId, tokenId: `t${n}` },
});

test('a token is created in a company, and revoked once', () => {
  given().when(create(1)).thenRefused('company_not_found');
  given(registered).when(create(1)).then(created(1));
  given(registered, created(1)).when(revoke(1)).then(revoked(1));
  given(registered, created(1), revoked(1)).when(revoke(1)).thenNothing();
  given(registered).when(revoke(1)).thenNothing();
});

test('a company has a bounded number of tokens; revoked and expired ones do not count', () => {
  const many = Array.from({ length: MAX_TOKENS }, (_, n) => created(n));
  given(registered, many).when(create(9_999)).thenRefused('too_many_tokens', { limit: MAX_TOKENS });
  given(registered, many, revoked(5)).when(create(9_999)).then(created(9_999));
  given(registered, many)
    .when(create(9_999, later))
    .then(created(9_999, later, later));
});

test('what is remembered of tokens is bounded, too', () => {
  const short = Array.from({ length: 50 }, (_, n) => created(n, '2026-01-01T00:00:00.001Z'));
  const state = given(registered, short, created(99, '2026-03-01T00:00:00.000Z', later)).state();
  expect([...state.tokens.keys()]).toEqual(['t99']);
});

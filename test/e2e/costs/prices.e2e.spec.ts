import { LedgerBench, says } from './ledger-bench';

const PRICE = {
  provider: 'p',
  model: 'm',
  validFrom: '2020-01-01T00:00:00.000Z',
  ...{ inputMicros: 1_000_000, outputMicros: 2_000_000, cachedInputMicros: 0 },
};

let bench: LedgerBench;

beforeAll(async () => void (bench = await LedgerBench.open()));
afterAll(() => bench.server.close());

const path = () => `/v1/companies/${bench.companyId}/prices`;
const put = (body: object) => bench.server.api<{ details: { field: string } }>('PUT', path(), body);

test("a company's prices count from when they are set, and leave alone what is booked", async () => {
  const agentId = await bench.agent(
    says.result({ provider: 'p', model: 'm', usage: { inputTokens: 10, outputTokens: 1 } }),
  );
  expect(await bench.get(path())).toEqual({ prices: [] });
  const costs = async () => (await bench.run(agentId)).costMicros;
  expect(await costs()).toBeNull();
  const answer = await put({ prices: [PRICE] });
  expect(answer).toMatchObject({ status: 200, body: { prices: [PRICE] } });
  expect(await costs()).toBe(12);
  await put({ prices: [{ ...PRICE, inputMicros: 2_000_000 }] });
  expect(await costs()).toBe(22);
  await put({ prices: [] });
  expect(await costs()).toBeNull();
  const position = (await put({ prices: [] })).headers['reveille-position'] as string;
  const { items, totalMicros } = await bench.costs(`groupBy=model&waitFor=${position}`);
  expect(totalMicros).toBe(34);
  expect(items).toMatchObject([{ key: 'm', costMicros: 34, runs: 4, unpricedRuns: 2 }]);
});

test.each([
  { field: 'prices.0.inputMicros', price: { ...PRICE, inputMicros: 0.5 } },
  { field: 'prices.0.outputMicros', price: { ...PRICE, outputMicros: -1 } },
  { field: 'prices.0.validFrom', price: { ...PRICE, validFrom: 'soon' } },
  { field: 'prices.0.model', price: { ...PRICE, model: '' } },
  { field: 'prices.0.currency', price: { ...PRICE, currency: 'EUR' } },
])('a price with a wrong $field is refused', async ({ field, price }) => {
  expect(await put({ prices: [price] })).toMatchObject({ status: 400, body: { details: { field } } });
});

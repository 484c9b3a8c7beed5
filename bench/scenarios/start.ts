import { quantile } from '../figure';
import { Api } from '../load/api';
import type { Scenario } from '../scenario';

const STARTS = 5;
const IDLE_MS = 5_000;

export const start: Scenario = {
  name: 'start',
  about: 'from the start of the process to its first line, and its memory when it has nothing to do',
  async run({ quick, newFolder, startServer }) {
    const dataDir = newFolder();
    const times: number[] = [];
    let rssMb = 0;
    for (let index = 0; index < (quick ? 2 : STARTS); index++) {
      const server = await startServer({ dataDir });
      times.push(server.startMs);
      const api = await Api.open(server);
      await api.company();
      api.close();
      await new Promise((resolve) => setTimeout(resolve, quick ? 1_000 : IDLE_MS));
      rssMb = Math.max(rssMb, server.memory().rssMb);
      await server.stop();
    }
    const check = `${times.length} starts, each of which took a request and stopped in order`;
    return {
      figures: [
        { name: 'start, median', value: quantile(times, 0.5), unit: 'ms', target: { atMost: 2_000 }, check },
        { name: 'idle memory, largest', value: rssMb, unit: 'MiB', target: { atMost: 150 }, check },
      ],
      baselines: [],
    };
  },
};

import { statfs } from 'node:fs/promises';
import type { IntervalHistogram } from 'node:perf_hooks';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { EventLog } from '../event-log/event-log';
import type { LogUpkeep } from '../event-log/log-upkeep';
import type { Processing } from '../processing/processing';
import type { NodeExecution } from '../runs/node-execution';
import type { OpenWakeups } from './event-samples';
import { samplesOf } from './event-samples';
import type { Metrics, Sample } from './metrics';

interface NodeParts {
  log: EventLog;
  processing: Processing;
  execution: NodeExecution;
  dataFolder: string;
  upkeep: LogUpkeep | null;
  logger: { error(details: object, message: string): void };
}

/** Worked out once: a restart is what changes it, and nothing else may. */
const PROCESS_STARTED_SEC = performance.timeOrigin / 1_000;

/** Counts what happens on the log from now on, and knows whom to ask for the rest. */
export class NodeMetrics {
  private readonly stopped = new AbortController();
  private readonly openWakeups: OpenWakeups = new Map();
  private readonly loopDelay: IntervalHistogram = monitorEventLoopDelay({ resolution: 20 });
  private counting: Promise<void> = Promise.resolve();

  constructor(
    private readonly metrics: Metrics,
    private readonly parts: NodeParts,
  ) {
    metrics.addSource(() => this.ofExecution());
    metrics.addSource(() => this.ofConsumers());
    metrics.addSource(() => this.ofDisk());
    metrics.addSource(() => this.ofUpkeep());
    metrics.addSource(() => this.ofProcess());
  }

  async start(): Promise<void> {
    this.loopDelay.enable();
    const head = await this.parts.log.head();
    this.counting = this.count(head).catch((err: unknown) =>
      this.parts.logger.error({ err }, 'the metrics no longer see what happens'),
    );
  }

  async stop(): Promise<void> {
    this.loopDelay.disable();
    this.stopped.abort();
    await this.counting;
  }

  private async count(after: bigint): Promise<void> {
    for await (const { events } of this.parts.processing.feed.subscribe(after, this.stopped.signal)) {
      for (const event of events) {
        samplesOf(event, this.openWakeups).forEach((sample) => this.metrics.record(sample));
      }
    }
  }

  private ofExecution(): Sample[] {
    const { active, waiting, max } = this.parts.execution.load;
    return [
      { name: 'reveille_active_runs', labels: {}, value: active },
      { name: 'reveille_queue_depth', labels: {}, value: waiting },
      { name: 'reveille_max_runs', labels: {}, value: max },
    ];
  }

  private async ofConsumers(): Promise<Sample[]> {
    const consumers = this.parts.processing.status();
    const head = await this.parts.log.head();
    return consumers.flatMap(({ name, kind, reached, stoppedBy, ailment }): Sample[] => {
      const labels = { consumer: name, kind };
      const lag = Number(head - BigInt(reached));
      const isIll = stoppedBy !== null || ailment !== null;
      return [
        { name: 'reveille_consumer_lag_positions', labels, value: Math.max(0, lag) },
        { name: 'reveille_consumer_ill', labels, value: isIll ? 1 : 0 },
      ];
    });
  }

  private async ofDisk(): Promise<Sample[]> {
    const { bavail, bsize } = await statfs(this.parts.dataFolder);
    return [{ name: 'reveille_data_folder_free_bytes', labels: {}, value: bavail * bsize }];
  }

  private ofUpkeep(): Sample[] {
    if (!this.parts.upkeep) return [];
    const { events, bytes, lastAtMs, fileBytes } = this.parts.upkeep.soFar;
    const labels = {};
    const samples: Sample[] = [
      { name: 'reveille_log_removed_events_total', labels, value: events },
      { name: 'reveille_log_removed_bytes_total', labels, value: bytes },
      { name: 'reveille_log_chunk_file_bytes', labels, value: fileBytes },
    ];
    if (lastAtMs !== null)
      samples.push({ name: 'reveille_log_removed_at_seconds', labels, value: lastAtMs / 1_000 });
    return samples;
  }

  private ofProcess(): Sample[] {
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const lagSec = this.loopDelay.percentile(99) / 1e9;
    this.loopDelay.reset();
    return [
      { name: 'process_resident_memory_bytes', labels: {}, value: rss },
      { name: 'nodejs_heap_size_used_bytes', labels: {}, value: heapUsed },
      { name: 'nodejs_eventloop_lag_p99_seconds', labels: {}, value: lagSec },
      { name: 'process_cpu_seconds_total', labels: {}, value: (user + system) / 1e6 },
      { name: 'process_start_time_seconds', labels: {}, value: PROCESS_STARTED_SEC },
    ];
  }
}

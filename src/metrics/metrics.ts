import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { knownLabels } from './known-labels';
import type { LabelsOf, MetricDescription, MetricName } from './metric-table';
import { metricTable } from './metric-table';

/** One number of a metric, and what it is of. */
export type Sample<Name extends MetricName = MetricName> = {
  [N in Name]: { name: N; labels: LabelsOf<N>; value: number };
}[Name];

const gauges = (Object.keys(metricTable) as MetricName[]).filter(
  (name) => metricTable[name].kind === 'gauge',
);

/** Asked whenever somebody looks: what can be read at any time need not be counted. */
export type Source = () => Sample[] | Promise<Sample[]>;

/** The metrics of one node. Not those of the process: several nodes may share one, in tests. */
export class Metrics {
  private readonly registry = new Registry();
  private readonly byName = new Map<string, Counter | Gauge | Histogram>();
  private readonly sources: Source[] = [];

  constructor() {
    for (const [name, description] of Object.entries<MetricDescription>(metricTable)) {
      this.byName.set(name, this.create(name, description));
    }
    for (const [name, known] of Object.entries(knownLabels)) {
      for (const labels of known) this.beginAtZero(name, labels);
    }
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  addSource(source: Source): void {
    this.sources.push(source);
  }

  /** Adds to a counter, sets a gauge, or puts a value into a histogram. */
  record({ name, labels, value }: Sample): void {
    const metric = this.byName.get(name)!;
    if (metric instanceof Counter) metric.inc(labels, value);
    else if (metric instanceof Gauge) metric.set(labels, value);
    else metric.observe(labels, value);
  }

  /** In the text format of Prometheus. A source that fails leaves its metrics out, and nothing else. */
  async text(): Promise<string> {
    const answers = await Promise.allSettled(this.sources.map(async (source) => source()));
    for (const name of gauges) this.forget(name);
    for (const answer of answers) {
      if (answer.status === 'fulfilled') answer.value.forEach((sample) => this.take(sample));
    }
    return this.registry.metrics();
  }

  private beginAtZero(name: string, labels: Record<string, string>): void {
    const metric = this.byName.get(name)!;
    if (metric instanceof Histogram) metric.zero(labels);
    else metric.inc(labels, 0);
  }

  /** Nothing is said of what nobody could read: a 0 would be a lie. */
  private forget(name: MetricName): void {
    const gauge = this.byName.get(name) as Gauge;
    if (metricTable[name].labels.length > 0) gauge.reset();
    else gauge.remove();
  }

  /** A counter that somebody else has counted is given as a whole. */
  private take(sample: Sample): void {
    const metric = this.byName.get(sample.name)!;
    if (metric instanceof Counter) metric.reset();
    this.record(sample);
  }

  private create(
    name: string,
    { kind, help, labels, buckets }: MetricDescription,
  ): Counter | Gauge | Histogram {
    const options = { name, help, labelNames: [...labels], registers: [this.registry] };
    if (kind === 'histogram') return new Histogram({ ...options, buckets: [...(buckets ?? [])] });
    return kind === 'counter' ? new Counter(options) : new Gauge(options);
  }
}

// Asks Prometheus what a panel asks, its variables filled in as Grafana would with everything chosen.

export class Source {
  constructor(start, end, scrapeInterval) {
    Object.assign(this, { start, end, scrapeInterval });
  }

  // Grafana takes an interval that gives about a point every few pixels, and at least the panel's own.
  step(panel) {
    const own = { '1m': 60, '5m': 300, '10m': 600, '15m': 900, '1h': 3600 }[panel.interval] ?? 15;
    return Math.max(own, Math.ceil((this.end - this.start) / 300 / 15) * 15);
  }

  fill(expression, panel) {
    const step = this.step(panel);
    const values = {
      __rate_interval: `${Math.max(step + this.scrapeInterval, 4 * this.scrapeInterval)}s`,
      __range: `${this.end - this.start}s`,
      account: '.+', region: '.+', model: '.+', route: '.+',
    };
    return expression.replace(/\$(\w+)/g, (whole, name) => values[name] ?? whole);
  }

  async ask(path, parameters) {
    const answer = await (await fetch(`/api/v1/${path}?${new URLSearchParams(parameters)}`)).json();
    if (answer.status !== 'success') throw new Error(`${answer.error}: ${parameters.query}`);
    return answer.data.result;
  }

  async instant(panel, target) {
    const result = await this.ask('query', { query: this.fill(target.expr, panel), time: this.end });
    return result.map(({ metric, value }) => ({ metric, value: Number(value[1]), name: named(target, metric) }));
  }

  async range(panel, target) {
    const step = this.step(panel);
    const query = { query: this.fill(target.expr, panel), start: Math.floor(this.start / step) * step, end: this.end, step };
    const result = await this.ask('query_range', query);
    return result.map(({ metric, values }) => ({ metric, name: named(target, metric), points: new Map(values.map(([at, value]) => [at, Number(value)])) }));
  }
}

function named({ legendFormat }, metric) {
  if (legendFormat === '__auto') return Object.values(metric).join(' ') || 'value';
  return legendFormat.replace(/{{(\w+)}}/g, (_, label) => metric[label] ?? '').trim();
}

const SCALES = [[1e9, 'B'], [1e6, 'M'], [1e3, 'K']];

function short(value, decimals) {
  const [by, letter] = SCALES.find(([by]) => Math.abs(value) >= by) ?? [1, ''];
  const digits = decimals ?? (Math.abs(value / by) >= 100 || Number.isInteger(value / by) ? 0 : Math.abs(value / by) >= 10 ? 1 : 2);
  return (value / by).toFixed(letter ? Math.max(digits, 1) : digits) + letter;
}

function seconds(value) {
  const [by, unit] = [[86400, 'd'], [3600, 'h'], [60, 'min']].find(([by]) => Math.abs(value) >= by) ?? [1, 's'];
  return `${(value / by).toFixed(by === 1 && value >= 10 ? 0 : 1)} ${unit}`;
}

export function formatted(value, unit, decimals) {
  if (value === undefined || value === null || Number.isNaN(value)) return '–';
  switch (unit) {
    case 'currencyUSD': return `$${short(value, decimals ?? 2)}`;
    case 'percentunit': return `${(value * 100).toFixed(decimals ?? 1)}%`;
    case 's': return seconds(value);
    case 'reqps': return `${short(value)} req/s`;
    default: return short(value, decimals);
  }
}

// Draws one dashboard's JSON: `?file=…&start=…&end=…`. Not Grafana: enough of it to see what the panels show.
import uPlot from '/uplot/uPlot.esm.js';
import { Source, formatted } from './prometheus.mjs';

const COLUMN = 65, ROW = 38, TOP = 48;
const PALETTE = ['#73bf69', '#f2cc0c', '#8ab8ff', '#ff780a', '#f2495c', '#5794f2', '#b877d9', '#705da0', '#37872d', '#fade2a'];
const COLOURS = { green: '#73bf69', yellow: '#f2cc0c', orange: '#ff9830', red: '#f2495c', blue: '#5794f2', purple: '#b877d9', text: '#ccccdc' };
const parameters = new URLSearchParams(location.search);
const source = new Source(Number(parameters.get('start')), Number(parameters.get('end')), Number(parameters.get('scrape') ?? 5));

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function ofThreshold(panel, value) {
  const steps = panel.fieldConfig.defaults.thresholds.steps;
  return COLOURS[steps.filter((step) => step.value === null || value >= step.value).at(-1).color];
}

function override(panel, name, id) {
  const matching = panel.fieldConfig.overrides.filter(({ matcher }) => matcher.options === name).flatMap(({ properties }) => properties);
  return matching.find((property) => property.id === id)?.value;
}

async function stat(panel, body) {
  const { unit, decimals } = panel.fieldConfig.defaults;
  const [first] = await source.instant(panel, panel.targets[0]);
  const text = panel.options.textMode === 'name' ? first?.name : formatted(first?.value, unit, decimals);
  const box = element('div', { className: 'stat', textContent: text ?? '–' });
  if (first && !Number.isNaN(first.value)) box.style.color = ofThreshold(panel, first.value);
  body.append(box);
  return first !== undefined;
}

async function bargauge(panel, body) {
  const rows = (await source.instant(panel, panel.targets[0])).sort((a, b) => b.value - a.value);
  const { unit, decimals } = panel.fieldConfig.defaults;
  const most = Math.max(...rows.map(({ value }) => value));
  for (const { name, value } of rows) {
    const filled = element('i');
    filled.style.cssText = `width:${(100 * value) / most}%;background:${ofThreshold(panel, value)}`;
    body.append(element('div', { className: 'bar' }, element('span', { textContent: name }), element('b', {}, filled), element('span', { textContent: formatted(value, unit, decimals) })));
  }
  return rows.length > 0;
}

async function table(panel, body) {
  const { indexByName, renameByName } = panel.transformations.find(({ id }) => id === 'organize').options;
  const columns = Object.entries(indexByName).sort((a, b) => a[1] - b[1]).map(([name]) => name);
  const labels = columns.filter((name) => !name.startsWith('Value'));
  const rows = new Map();
  for (const target of panel.targets) {
    const column = panel.targets.length === 1 ? 'Value' : `Value #${target.refId}`;
    for (const { metric, value } of await source.instant(panel, target)) {
      const key = JSON.stringify(labels.map((label) => metric[label]));
      rows.set(key, { ...(rows.get(key) ?? metric), [column]: value });
    }
  }
  const [{ displayName }] = panel.options.sortBy;
  const by = columns.find((name) => renameByName[name] === displayName);
  const sorted = [...rows.values()].sort((a, b) => (b[by] ?? -1) - (a[by] ?? -1));
  const cell = (tag, column, text) => element(tag, { textContent: text, className: column.startsWith('Value') ? 'number' : '' });
  const head = element('tr', {}, ...columns.map((column) => cell('th', column, renameByName[column])));
  const unit = (column) => override(panel, renameByName[column], 'unit');
  const decimals = (column) => override(panel, renameByName[column], 'decimals');
  const text = (row, column) => (column.startsWith('Value') ? formatted(row[column], unit(column), decimals(column)) : (row[column] ?? ''));
  body.append(element('table', {}, head, ...sorted.map((row) => element('tr', {}, ...columns.map((column) => cell('td', column, text(row, column)))))));
  return rows.size > 0;
}

async function ranges(panel) {
  return (await Promise.all(panel.targets.map((target) => source.range(panel, target)))).flat();
}

async function timeseries(panel, body, width, height) {
  const series = await ranges(panel);
  if (series.length === 0) return false;
  const { unit, custom } = panel.fieldConfig.defaults;
  const step = source.step(panel);
  const times = [];
  for (let at = Math.floor(source.start / step) * step; at <= source.end; at += step) times.push(at);
  const stacked = custom.stacking.mode === 'normal';
  const colour = ({ name }, index) => COLOURS[override(panel, name, 'color')?.fixedColor] ?? PALETTE[index % PALETTE.length];
  const isLine = ({ name }) => override(panel, name, 'custom.lineStyle') !== undefined;
  const below = times.map(() => 0);
  const data = series.map((one) => times.map((at, index) => {
    const value = one.points.get(at) ?? null;
    if (!stacked || isLine(one)) return value;
    return (below[index] += value ?? 0);
  }));
  const list = panel.options.legend.placement === 'right';
  const chart = element('div', { className: 'chart' });
  body.append(chart);
  const drawing = (one, index) => ({
    label: one.name, stroke: colour(one, index), width: isLine(one) ? 1.5 : custom.lineWidth, dash: isLine(one) ? [8, 8] : undefined, points: { show: false },
    fill: custom.fillOpacity && !isLine(one) ? `${colour(one, index)}${Math.round(custom.fillOpacity * 2.55).toString(16).padStart(2, '0')}` : undefined,
    spanGaps: true, paths: custom.drawStyle === 'bars' ? uPlot.paths.bars({ size: [0.6] }) : undefined,
  });
  // What is stacked highest is drawn first, so that the lower ones lie over it.
  const order = [...series.keys()].sort((a, b) => (stacked ? Number(isLine(series[a])) - Number(isLine(series[b])) || b - a : a - b));
  const axis = { stroke: '#8e8ea0', grid: { stroke: '#25282e', width: 1 }, ticks: { show: false }, font: '11px DejaVu Sans' };
  const plotWidth = list ? Math.round(width * 0.64) : width;
  const clock = (_, ticks) => ticks.map((at) => new Date(at * 1000).toISOString().slice(11, 16));
  new uPlot({
    width: plotWidth, height, legend: { show: false }, cursor: { show: false },
    scales: { x: { range: [source.start, source.end] }, y: { range: (_, __, max) => [0, (max || 1) * 1.05] } },
    axes: [{ ...axis, values: clock }, { ...axis, size: 64, values: (_, ticks) => ticks.map((tick) => formatted(tick, unit)) }],
    series: [{}, ...order.map((index) => drawing(series[index], index))],
  }, [times, ...order.map((index) => data[index])], chart);
  if (list) chart.append(legend(panel, series, colour, unit));
  return true;
}

function legend(panel, series, colour, unit) {
  const calculations = {
    max: (values) => Math.max(...values), lastNotNull: (values) => values.at(-1), sum: (values) => values.reduce((a, b) => a + b, 0),
  };
  const names = { max: 'Max', lastNotNull: 'Last', sum: 'Total' };
  const calcs = panel.options.legend.calcs;
  const head = element('tr', {}, element('td'), ...calcs.map((calc) => element('td', { className: 'number', textContent: names[calc] })));
  const row = (one, index) => {
    const mark = element('i');
    mark.style.background = colour(one, index);
    const values = [...one.points.values()].filter((value) => !Number.isNaN(value));
    const numbers = calcs.map((calc) => element('td', { className: 'number', textContent: formatted(calculations[calc](values), unit) }));
    return element('tr', {}, element('td', { title: one.name }, mark, one.name), ...numbers);
  };
  return element('div', { className: 'legend' }, element('table', {}, head, ...series.slice(0, 14).map(row)));
}

async function timeline(panel, body) {
  const series = await ranges(panel);
  const states = panel.fieldConfig.defaults.mappings[0].options;
  const share = (at) => (100 * (at - source.start)) / (source.end - source.start);
  for (const { name, points } of series) {
    const lane = element('div');
    for (const [at, value] of points) {
      const mark = element('i');
      mark.style.cssText = `left:${share(at)}%;width:${share(source.start + source.step(panel)) + 0.1}%;background:${COLOURS[states[value]?.color] ?? '#555'}`;
      lane.append(mark);
    }
    body.append(element('div', { className: 'lane' }, element('span', { textContent: name }), lane));
  }
  const key = ({ text, color }) => {
    const mark = element('i');
    mark.style.background = COLOURS[color];
    return element('span', {}, mark, text);
  };
  body.append(element('div', { className: 'keys' }, ...Object.values(states).map(key)));
  return series.length > 0;
}

const DRAW = { stat, bargauge, table, timeseries, 'state-timeline': timeline };

async function draw() {
  const dashboard = await (await fetch(`/dashboards/${parameters.get('file')}`)).json();
  const main = document.querySelector('main');
  main.append(element('h1', {}, dashboard.title, element('small', { textContent: dashboard.description })));
  let bottom = 0;
  const empty = [];
  for (const panel of dashboard.panels) {
    const { x, y, w, h } = panel.gridPos;
    const box = element('section', { className: panel.type === 'row' ? 'row' : 'panel' });
    box.style.cssText = `left:${12 + x * COLUMN}px;top:${TOP + y * ROW}px;width:${w * COLUMN - 6}px;height:${h * ROW - 6}px`;
    bottom = Math.max(bottom, TOP + (y + h) * ROW);
    main.append(box);
    if (panel.type === 'row') {
      box.textContent = panel.title;
      continue;
    }
    const body = element('div');
    box.append(element('h2', { textContent: panel.title, title: panel.description }), body);
    if (!(await DRAW[panel.type](panel, body, w * COLUMN - 30, h * ROW - 44))) {
      body.replaceChildren(element('div', { className: 'none', textContent: 'No data' }));
      empty.push(panel.title);
    }
  }
  main.style.height = `${bottom}px`;
  document.title = `drawn ${bottom + 24} ${JSON.stringify(empty)}`;
}

draw().catch((error) => {
  document.title = `failed ${error}`;
  document.body.append(String(error.stack));
});

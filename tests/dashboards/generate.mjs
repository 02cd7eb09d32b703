// Makes generated/*.ts, in which every dashboard `satisfies` its types: literals keep their exact types only in a source
// file, not in an imported JSON.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const dashboards = new URL('../../dashboards/', import.meta.url);
const generated = new URL('generated/', import.meta.url);

rmSync(generated, { recursive: true, force: true });
mkdirSync(generated);
for (const file of readdirSync(dashboards).filter((name) => name.endsWith('.json'))) {
  const dashboard = JSON.parse(readFileSync(new URL(file, dashboards), 'utf8'));
  const text = (value) => JSON.stringify(value, null, 2);
  const checks = dashboard.panels
    .filter((panel) => panel.type !== 'row')
    .flatMap((panel) => [
      `// ${panel.title}`,
      `(${text(panel.options)}) satisfies PanelOptions['${panel.type}'];`,
      `(${text(panel.fieldConfig.defaults.custom ?? {})}) satisfies PanelFields['${panel.type}'];`,
    ]);
  const source = [
    `import type { PanelFields, PanelOptions, WireDashboard } from '../types.ts';`,
    `export const dashboard = ${text(dashboard)} satisfies WireDashboard;`,
    ...checks,
  ];
  writeFileSync(new URL(file.replace('.json', '.ts'), generated), source.join('\n') + '\n');
}

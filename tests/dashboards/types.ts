// What a dashboard's JSON must be. Grafana's types name string enums; JSON has their values: `Wire` goes from one to the
// other. A panel's options and its fields' own options are held to the types of that very panel.
import type { Dashboard, DataQuery } from '@grafana/schema';
import type { Options as BarGaugeOptions } from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type {
  FieldConfig as TimelineFields,
  Options as TimelineOptions,
} from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type {
  FieldConfig as TableFields,
  Options as TableOptions,
} from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type {
  FieldConfig as SeriesFields,
  Options as SeriesOptions,
} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Wire<T> = T extends string
  ? string extends T ? T : `${T}`
  : T extends number
    ? number extends T ? T : `${T}` extends `${infer N extends number}` ? N : never
    : T extends (infer Item)[]
      ? Wire<Item>[]
      : T extends object ? { [Key in keyof T]: Wire<T[Key]> } : T;

// Every key may be left out: Grafana fills in its defaults. None may be unknown or of another type.
type Options<T> = Partial<Wire<T>>;

// What the Prometheus data source keeps in an annotation beside what every data source has.
type PromAnnotation = { target?: DataQuery & { expr: string; interval: string }; tagKeys?: string; textFormat?: string; titleFormat?: string };
type Annotation = NonNullable<NonNullable<Dashboard['annotations']>['list']>[number];
type Annotations = { annotations: { list: Wire<Omit<Annotation, 'target'> & PromAnnotation>[] } };

export type WireDashboard = Wire<Omit<Dashboard, 'annotations'>> & Annotations;
export type PanelOptions = {
  bargauge: Options<BarGaugeOptions>;
  stat: Options<StatOptions>;
  'state-timeline': Options<TimelineOptions>;
  table: Options<Omit<TableOptions, 'frameIndex'>>;
  timeseries: Options<SeriesOptions>;
};
export type PanelFields = {
  bargauge: Record<string, never>;
  stat: Record<string, never>;
  'state-timeline': Options<TimelineFields>;
  table: Options<TableFields>;
  timeseries: Options<SeriesFields>;
};

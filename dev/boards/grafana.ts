// A Grafana board as JSON, from rows of panels. Written by hand a board is five hundred lines of which twenty say something.
// Guarantees: the same description gives the same text; nothing is named by a number that Grafana would have to invent.
// Must not know: which metrics there are.

/** One panel: what it shows, and how the numbers are to be read. */
export interface Panel {
  readonly title: string;
  /** What a reader who is paged has to know of it. */
  readonly meaning: string;
  /** Expressions of Prometheus, each with the legend of its series. */
  readonly series: readonly (readonly [expression: string, legend: string])[];
  /** Grafana's name of the unit, as `s`, `ops`, `bytes`, `percentunit`, `short`. */
  readonly unit: string;
  /** A single number instead of a line over time; `alarm`: red from 1 on, `wanted`: red below 1. */
  readonly number?: 'plain' | 'alarm' | 'wanted';
}

/** A filter at the head of a board: its values are those of a label of a metric. */
export interface Variable {
  readonly name: string;
  readonly metric: string;
  readonly label: string;
}

export interface Board {
  /** Part of the address: `/d/warren-fleet`. */
  readonly uid: string;
  readonly title: string;
  readonly about: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[];
}

type Series = Panel['series'][number];

export const lines = (title: string, unit: string, meaning: string, ...series: Series[]): Panel => ({
  title,
  unit,
  meaning,
  series,
});

/** How a number is judged: not at all, red from 1 on, red below 1. */
export const number = (
  title: string,
  judged: NonNullable<Panel['number']>,
  meaning: string,
  expression: string,
): Panel => ({ title, unit: 'short', meaning, series: [[expression, '']], number: judged });

const WIDTH = 24;
/** How the targets of a panel are told apart. */
const REFERENCES = 'ABCDEFGH';
const HEIGHT = { line: 8, number: 4, title: 1 };
const source = { type: 'prometheus', uid: '$datasource' };

/** The text of the file that Grafana imports. */
export function boardText(board: Board, tag: string): string {
  return `${JSON.stringify(boardJson(board, tag), undefined, 2)}\n`;
}

function boardJson({ uid, title, about, variables, rows }: Board, tag: string) {
  return {
    uid,
    title,
    description: about,
    tags: [tag],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' },
        ...variables.map(variableJson),
      ],
    },
    links: [
      {
        type: 'dashboards',
        title: 'Warren',
        tags: [tag],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
      },
    ],
    panels: placePanels(rows),
  };
}

function variableJson({ name, metric, label }: Variable) {
  const query = `label_values(${metric}, ${label})`;
  return {
    name,
    type: 'query',
    datasource: source,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    includeAll: true,
    multi: true,
    allValue: '.*',
    current: { text: 'All', value: '$__all' },
    sort: 1,
  };
}

/** The panels of a row share its width. */
function placePanels(rows: Board['rows']) {
  let y = 0;
  let id = 0;
  return rows.flatMap(({ title, panels }) => {
    const numbers = panels.every(({ number }) => number !== undefined);
    const height = numbers ? HEIGHT.number : HEIGHT.line;
    const w = Math.floor(WIDTH / panels.length);
    const head = {
      id: ++id,
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: WIDTH, h: HEIGHT.title },
    };
    const top = y + HEIGHT.title;
    y = top + height;
    return [
      head,
      ...panels.map((panel, index) => ({
        id: ++id,
        ...panelJson(panel),
        gridPos: { x: index * w, y: top, w, h: height },
      })),
    ];
  });
}

function panelJson({ title, meaning, series, unit, number }: Panel) {
  return {
    type: number === undefined ? 'timeseries' : 'stat',
    title,
    description: meaning,
    datasource: source,
    targets: series.map(([expr, legendFormat], index) => ({
      refId: REFERENCES[index] ?? '',
      datasource: source,
      expr,
      legendFormat,
    })),
    fieldConfig: {
      defaults: {
        unit,
        ...(number === undefined
          ? { min: 0, custom: { fillOpacity: 8, showPoints: 'never', lineWidth: 1 } }
          : { thresholds: thresholdsOf(number) }),
      },
      overrides: [],
    },
    options:
      number === undefined
        ? { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } }
        : {
            colorMode: number === 'plain' ? 'none' : 'background',
            reduceOptions: { calcs: ['lastNotNull'] },
          },
  };
}

function thresholdsOf(number: 'plain' | 'alarm' | 'wanted') {
  const [below, from] = number === 'wanted' ? ['red', 'green'] : ['green', 'red'];
  const steps =
    number === 'plain'
      ? [{ color: 'text', value: null }]
      : [
          { color: below, value: null },
          { color: from, value: 1 },
        ];
  return { mode: 'absolute', steps };
}

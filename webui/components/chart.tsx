/**
 * A chart over time, with the same numbers in a table beside it: who cannot see the chart reads the table, and prints and CSV
 * come from it. The drawing library is loaded only when a chart is shown. Series differ by dash as well as by colour.
 */
import { useEffect, useRef } from 'preact/hooks';
import { formatNumber, language, t } from '../i18n/language.ts';
import { formatTime, zone } from '../i18n/format.ts';
import { theme } from '../app/theme.ts';
import { OVERVIEW } from '../i18n/words-overview.ts';

export interface Series {
  label: string;
  values: readonly number[];
  tone: 'accent' | 'ok' | 'warn' | 'bad' | 'ink';
}

interface Properties {
  title: string;
  at: readonly string[];
  unit: 'hour' | 'day';
  series: readonly Series[];
}

const DASHES: Record<Series['tone'], number[]> = { accent: [], ok: [], warn: [6, 3], bad: [2, 3], ink: [10, 4] };

export function Chart(props: Properties) {
  const box = useRef<HTMLDivElement>(null);
  useDrawing(box, props);
  return (
    <figure style={{ margin: 0 }}>
      <div ref={box} class="chart" role="img" aria-label={props.title} />
      <details class="small">
        <summary>{t(OVERVIEW.showTable)}</summary>
        <SeriesTable {...props} />
      </details>
    </figure>
  );
}

export function SeriesTable({ title, at, unit, series }: Properties) {
  return (
    <div class="table-box">
      <table>
        <caption class="sr">{title}</caption>
        <thead>
          <tr>
            <th scope="col">{t(OVERVIEW.hour)}</th>
            {series.map((one) => (
              <th key={one.label} scope="col" class="num">
                {one.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {at.map((moment, index) => (
            <tr key={moment}>
              <th scope="row" class="nowrap">
                {formatTime(moment, unit === 'hour' ? 'short' : 'day')}
              </th>
              {series.map((one) => (
                <td key={one.label} class="num">
                  {formatNumber(one.values[index] ?? 0)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function useDrawing(box: { current: HTMLDivElement | null }, props: Properties): void {
  const content = JSON.stringify([props.at, props.series]);
  const look = `${theme.value} ${language.value} ${zone.value}`;
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    let ended = false;
    let stop: (() => void) | undefined;
    void import('./chart-draw.ts').then(({ draw }) => {
      if (!ended) stop = draw(element, { ...props, dashes: DASHES });
    });
    return () => {
      ended = true;
      stop?.();
    };
    // `content` and `look` are what the drawing depends on
  }, [box, content, look]);
}

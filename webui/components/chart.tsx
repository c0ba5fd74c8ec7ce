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
      <PaperChart {...props} />
      <details class="small">
        <summary>{t(OVERVIEW.showTable)}</summary>
        <SeriesTable {...props} />
      </details>
    </figure>
  );
}

const [WIDE, HIGH, LEFT, FOOT] = [720, 200, 44, 18];

/** The same lines for paper: a canvas made for the screen is cut or empty there. */
function PaperChart({ at, unit, series }: Properties) {
  const most = Math.max(4, ...series.flatMap((one) => one.values));
  const x = (index: number): number => LEFT + ((WIDE - LEFT) * index) / Math.max(1, at.length - 1);
  const y = (value: number): number => 6 + (HIGH - 6 - FOOT) * (1 - value / most);
  const labels = at.length < 2 ? [0] : [0, Math.floor((at.length - 1) / 2), at.length - 1];
  return (
    <div class="print-only" aria-hidden="true">
      <svg class="paper" viewBox={`0 0 ${WIDE} ${HIGH}`}>
        {[0, 0.5, 1].map((part) => (
          <g key={part}>
            <line x1={LEFT} x2={WIDE} y1={y(most * part)} y2={y(most * part)} stroke="var(--line)" />
            <text x={LEFT - 6} y={y(most * part) + 4} text-anchor="end">
              {formatNumber(Math.round(most * part))}
            </text>
          </g>
        ))}
        {series.map((one) => (
          <polyline
            key={one.label}
            points={one.values.map((value, index) => `${x(index)},${y(value)}`).join(' ')}
            stroke={strokeOf(one.tone)}
            stroke-dasharray={DASHES[one.tone].join(' ')}
          />
        ))}
        {labels.map((index, place) => (
          <text
            key={index}
            x={x(index)}
            y={HIGH - 3}
            text-anchor={(['start', 'middle', 'end'] as const)[place] ?? 'end'}
          >
            {formatTime(at[index] ?? 0, unit === 'hour' ? 'short' : 'day')}
          </text>
        ))}
      </svg>
      <p class="legend">
        {series.map((one) => (
          <span key={one.label}>
            <svg width="30" height="8" viewBox="0 0 30 8">
              <line
                x1="0"
                x2="30"
                y1="4"
                y2="4"
                stroke={strokeOf(one.tone)}
                stroke-dasharray={DASHES[one.tone].join(' ')}
              />
            </svg>{' '}
            {one.label}
          </span>
        ))}
      </p>
    </div>
  );
}

const strokeOf = (tone: Series['tone']): string => `var(--${tone === 'ink' ? 'ink-soft' : tone})`;

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

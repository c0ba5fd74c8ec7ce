/** The drawing itself (uPlot): colours from the page's own, widths followed, the legend below. Loaded on demand. */
import uPlot from 'uplot';
import { formatTime } from '../i18n/format.ts';
import { formatNumber } from '../i18n/language.ts';
import type { Series } from './chart.tsx';

interface Drawing {
  at: readonly string[];
  unit: 'hour' | 'day';
  series: readonly Series[];
  dashes: Record<Series['tone'], number[]>;
}

const HEIGHT = 240;
const VARIABLES: Record<Series['tone'], string> = {
  accent: '--accent',
  ok: '--ok',
  warn: '--warn',
  bad: '--bad',
  ink: '--ink-soft',
};

/** Returns how to take it away. */
export function draw(element: HTMLElement, { at, unit, series, dashes }: Drawing): () => void {
  const colour = (name: string): string => {
    // light-dark() is worked out only where a colour is used
    const probe = document.createElement('i');
    probe.style.color = `var(${name})`;
    element.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  };
  const axis = {
    stroke: colour('--ink-soft'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1 },
    font: '12px system-ui',
  };
  const label = (seconds: number): string => {
    const text = formatTime(seconds * 1_000, unit === 'hour' ? 'short' : 'day');
    return unit === 'hour' ? text.slice(-5) : text.slice(5);
  };
  const width = (): number => Math.max(240, element.clientWidth);
  const plot = new uPlot(
    {
      width: width(),
      height: HEIGHT,
      cursor: { y: false },
      legend: { live: false },
      scales: { x: { time: true }, y: { range: (_, __, max) => [0, Math.max(4, Math.ceil(max * 1.1))] } },
      axes: [
        { ...axis, values: (_, splits) => splits.map(label) },
        {
          ...axis,
          size: 56,
          values: (_, splits) => splits.map((value) => (Number.isInteger(value) ? formatNumber(value) : '')),
        },
      ],
      series: [
        { label: '' },
        ...series.map((one) => ({
          label: one.label,
          stroke: colour(VARIABLES[one.tone]),
          width: 2,
          dash: dashes[one.tone],
          points: { show: at.length < 40, size: 4 },
        })),
      ],
    },
    [at.map((moment) => Date.parse(moment) / 1_000), ...series.map((one) => [...one.values])],
    element,
  );
  const observer = new ResizeObserver(() => plot.setSize({ width: width(), height: HEIGHT }));
  observer.observe(element);
  return () => {
    observer.disconnect();
    plot.destroy();
  };
}

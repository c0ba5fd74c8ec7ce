/** The few signs of the pages, drawn by strokes in the colour of the text around them. Always beside words, so hidden from ears. */
const PATHS = {
  overview: 'M3 12h4l2-6 4 12 2-6h6',
  messages: 'M4 6h16M4 12h16M4 18h10',
  quarantine: 'M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6zM9 12h6',
  queue: 'M4 5h16v4H4zM4 15h16v4H4zM12 9v6',
  policy: 'M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4',
  domains: 'M12 3a9 9 0 100 18 9 9 0 000-18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18',
  reports: 'M4 20V10M10 20V4M16 20v-7M21 20H3',
  system: 'M4 5h16v10H4zM9 20h6M12 15v5',
  audit: 'M6 3h9l4 4v14H6zM9 12h7M9 16h7M9 8h3',
  users: 'M9 11a4 4 0 100-8 4 4 0 000 8zM2 21c0-5 3-7 7-7s7 2 7 7M17 4a4 4 0 010 7M22 21c0-4-1-6-4-7',
  help: 'M12 3a9 9 0 100 18 9 9 0 000-18zM9.5 9.5a2.5 2.5 0 115 0c0 2-2.5 2-2.5 4M12 17v.1',
  ok: 'M4 12l5 5L20 6',
  warn: 'M12 4l9 16H3zM12 10v4M12 17v.1',
  bad: 'M12 3a9 9 0 100 18 9 9 0 000-18zM8.5 8.5l7 7M15.5 8.5l-7 7',
  info: 'M12 3a9 9 0 100 18 9 9 0 000-18zM12 11v5M12 7.5v.1',
  busy: 'M12 3a9 9 0 100 18 9 9 0 000-18zM12 7v5l3 2',
  idle: 'M12 3a9 9 0 100 18 9 9 0 000-18zM8 12h8',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  close: 'M6 6l12 12M18 6L6 18',
  menu: 'M4 6h16M4 12h16M4 18h16',
  search: 'M10.5 4a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM15.5 15.5L21 21',
  theme: 'M12 3a9 9 0 100 18 9 9 0 000-18zM12 3v18',
  right: 'M9 5l7 7-7 7',
  external: 'M14 4h6v6M20 4l-9 9M18 14v6H4V6h6',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

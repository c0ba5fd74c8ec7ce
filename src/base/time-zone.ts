/**
 * Which time zone does the machine have now? Node asks once, when it starts; the owner may choose another on a running box. The
 * link /etc/localtime is followed (localtime(5)); where it says nothing, or TZ was set from outside, what Node believes counts.
 */
import { readlinkSync, realpathSync } from 'node:fs';

const LINK = '/etc/localtime';
const ZONES = '/zoneinfo/';
const NAME = /^(?:posix\/)?([A-Za-z0-9_+-]+(?:\/[A-Za-z0-9_+-]+)*)$/;

/** The zone (an IANA name) as it is when asked; a change is written into `env`, from where Node's own dates take it. */
export function followTimeZone(env: NodeJS.ProcessEnv, link = LINK): () => string {
  const believed = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (env['TZ'] !== undefined) return believed;
  let known = zoneOf(link) ?? believed();
  return () => {
    const zone = zoneOf(link) ?? known;
    if (zone !== known) {
      known = zone;
      env['TZ'] = zone;
    }
    return known;
  };
}

/** The box's link leads over one on the data partition; the last one that names a zone counts. */
function zoneOf(link: string): string | undefined {
  const near = (file: string): string => readlinkSync(file);
  const far = (file: string): string => realpathSync(file);
  for (const read of [near, (file: string): string => near(near(file)), far]) {
    try {
      const file = read(link);
      const at = file.lastIndexOf(ZONES);
      const name = at === -1 ? undefined : NAME.exec(file.slice(at + ZONES.length))?.[1];
      if (name !== undefined) return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
    } catch {
      // not a link, or no zone that is known here
    }
  }
  return undefined;
}

/** Wall time (ms) in the zone of the process: `2026-11-22`, minutes since midnight, `2026-11-22 08:14`. */
export function localTime(wall: number): { day: string; minutes: number; text: string } {
  const date = new Date(wall);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const text = `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
  return { day, minutes: date.getHours() * 60 + date.getMinutes(), text };
}

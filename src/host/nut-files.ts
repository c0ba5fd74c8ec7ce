/**
 * NUT's four configuration files as text, and which UPS stands on USB. Pure. The list of models with their drivers is NUT's
 * own: the comments of its udev rules, which are there wherever its drivers are. `nut-scanner` would ask the same list, but
 * loads libusb by its development name, which no box has. Names, passwords and drivers come from closed sets of characters
 * and are written in quotes: nothing a USB device calls itself gets into a file.
 */
import { SekishoError } from '../base/errors.ts';
import { UPS_DRIVERS } from '../control/host-shapes.ts';
import type { UpsSettings } from './record.ts';

export interface UsbIds {
  /** Four hexadecimal digits, small. */
  vendor: string;
  product: string;
}

export interface UsbUps extends UsbIds {
  driver: string;
}

/** What `upsmon` logs in as at our own `upsd`. */
const OWN_USER = 'sekisho';
const OWN_NAME = 'ups';
const GENERAL = 'usbhid-ups';

/** `#  HP T750 INTL  - usbhid-ups`, and in the next line the ids. */
export function readUpsModels(rules: string): UsbUps[] {
  const models: UsbUps[] = [];
  let driver: string | undefined;
  for (const line of rules.split('\n')) {
    const comment = /^#.*\s-\s+([a-z][a-z0-9_-]{1,30})\s*$/.exec(line)?.[1];
    const ids = /^ATTR\{idVendor\}=="([0-9a-f]{4})", ATTR\{idProduct\}=="([0-9a-f]{4})"/i.exec(line);
    // some of the list stand in capitals, sysfs never
    const [, vendor, product] = (ids ?? []).map((id) => id.toLowerCase());
    if (driver !== undefined && vendor !== undefined && product !== undefined) models.push({ vendor, product, driver });
    driver = comment;
  }
  return models;
}

/**
 * The first of what is plugged in that NUT knows. The list has the newest driver that could speak to a model: one that is in
 * a package the box has not (apc_modbus) gives way to the general one, which knows those models as well.
 */
export function findUps(plugged: readonly UsbIds[], models: readonly UsbUps[]): UsbUps | undefined {
  for (const { vendor, product } of plugged) {
    const found = models.find((model) => model.vendor === vendor && model.product === product);
    if (found !== undefined)
      return UPS_DRIVERS.some((driver) => driver === found.driver) ? found : { ...found, driver: GENERAL };
  }
  return undefined;
}

export interface NutPlan {
  /** File name → text. */
  files: Readonly<Record<string, string>>;
  /** Which of our units run with them; the others rest. */
  units: readonly NutUnit[];
}

export const NUT_UNITS = ['sekisho-ups-driver.service', 'sekisho-upsd.service', 'sekisho-upsmon.service'] as const;
export type NutUnit = (typeof NUT_UNITS)[number];

/** Undefined: NUT has nothing to do here. A server elsewhere without a login is only read, by the host itself. */
export function planNut(
  settings: UpsSettings,
  found: { usb: UsbUps | undefined; password: string; folder: string },
): NutPlan | undefined {
  switch (settings.mode) {
    case 'off':
      return undefined;
    case 'network': {
      const { host, name, user, password } = settings;
      if (host === undefined || name === undefined || user === undefined || password === undefined) return undefined;
      const system = `${name}@${host.includes(':') ? `[${host}]` : host}`;
      const monitor = { system, user, password, role: 'secondary' as const };
      return { files: { 'upsmon.conf': upsmonConf(monitor, found.folder) }, units: ['sekisho-upsmon.service'] };
    }
    case 'auto': {
      const name = settings.name ?? OWN_NAME;
      const driver = settings.driver ?? found.usb?.driver;
      if (driver === undefined) return undefined;
      const { password, folder } = found;
      const monitor = { system: `${name}@127.0.0.1`, user: OWN_USER, password, role: 'primary' as const };
      return {
        files: {
          'ups.conf': upsConf({ name, driver, usb: found.usb }),
          'upsd.conf': 'LISTEN 127.0.0.1 3493\nMAXAGE 15\n',
          'upsd.users': `[${OWN_USER}]\n  password = ${quoted(password)}\n  upsmon primary\n`,
          'upsmon.conf': upsmonConf(monitor, folder),
        },
        units: NUT_UNITS,
      };
    }
  }
}

/** The password our `upsmon` and `upsd` share, as it stands in upsd.users: so that a restart of the host changes nothing. */
export function readOwnPassword(users: string): string | undefined {
  return /^ {2}password = "([0-9a-f]{32})"$/m.exec(users)?.[1];
}

function upsConf({ name, driver, usb }: { name: string; driver: string; usb: UsbUps | undefined }): string {
  const ids = usb === undefined ? '' : `  vendorid = ${quoted(usb.vendor)}\n  productid = ${quoted(usb.product)}\n`;
  return `maxretry = 3\nuser = nut\n[${plain(name)}]\n  driver = ${quoted(plain(driver))}\n  port = "auto"\n${ids}`;
}

/**
 * FINALDELAY 0: that pause is for messages to people on terminals; the gateway was told long ago. On battery the UPS is asked each
 * two seconds: each second counts then. The flag says at the very end of the power-off that the UPS is to cut the
 * power; it comes back with the mains, even with mains that came back in between.
 */
function upsmonConf(
  monitor: { system: string; user: string; password: string; role: 'primary' | 'secondary' },
  folder: string,
): string {
  const { system, user, password, role } = monitor;
  return `MONITOR ${plain(system)} 1 ${quoted(user)} ${quoted(password)} ${role}
MINSUPPLIES 1
RUN_AS_USER nut
SHUTDOWNCMD "/usr/bin/systemctl poweroff"
POWERDOWNFLAG "${folder}/killpower"
POLLFREQ 5
POLLFREQALERT 2
HOSTSYNC 15
DEADTIME 15
FINALDELAY 0
NOTIFYFLAG ONLINE SYSLOG
NOTIFYFLAG ONBATT SYSLOG
NOTIFYFLAG LOWBATT SYSLOG
NOTIFYFLAG FSD SYSLOG
NOTIFYFLAG COMMOK SYSLOG
NOTIFYFLAG COMMBAD SYSLOG
NOTIFYFLAG SHUTDOWN SYSLOG
NOTIFYFLAG REPLBATT SYSLOG
NOTIFYFLAG NOCOMM SYSLOG
`;
}

/** NUT's parser takes a back slash before a quote or a back slash; a line end would begin another directive. */
function quoted(text: string): string {
  if (/[^\x20-\x7e]/.test(text)) throw new SekishoError('INVALID_REQUEST', 'Only printable ASCII can be given to NUT');
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/** What stands outside quotes. */
function plain(text: string): string {
  if (!/^[A-Za-z0-9._:@[\]-]{1,300}$/.test(text))
    throw new SekishoError('INVALID_REQUEST', `"${text.slice(0, 60)}" cannot be given to NUT`);
  return text;
}

/**
 * What the gateway and the machine tell each other. Every few seconds: is there power? On a failing battery new mail hears
 * 421 and what waits is flushed. After each change of the listeners: where mail should come in, so that the host holds those
 * sockets open. A host that is away changes nothing: mail flows as before, and the listeners are told again until it hears.
 */
import { describeError } from '../base/errors.ts';
import type { HostClient } from '../control/host-client.ts';
import type { Config } from '../config/schema.ts';
import type { PortalReach, PowerState } from '../control/host-shapes.ts';

const ASK_MS = 5_000;

export interface HostLink {
  /** The configuration's listeners have changed, or its portal. */
  listenersChanged(): void;
  power(): PowerState;
  stop(): void;
}

export interface HostLinkOptions {
  host: Pick<HostClient, 'call'>;
  config: () => Config;
  /** Called when it changes: `drain` and `shutdown` take no new mail. */
  onPower: (power: PowerState, detail: string) => void;
  tell: (message: string, facts: Record<string, unknown>) => void;
  everyMs?: number;
}

export function linkToHost(options: HostLinkOptions): HostLink {
  let power: PowerState = 'normal';
  let told: string | undefined;
  let away = false;
  let asking = false;

  async function ask(): Promise<void> {
    const answer = await options.host.call('power.state', {});
    if (answer.power !== power) {
      power = answer.power;
      options.onPower(power, answer.detail ?? '');
    }
    const listeners = listenersOf(options.config());
    const portal = portalOf(options.config());
    const antivirus = antivirusOf(options.config());
    const wanted = JSON.stringify([listeners, portal, antivirus]);
    if (wanted === told) return;
    const applied = await options.host.call('listeners.apply', { listeners, portal, antivirus });
    told = wanted;
    options.tell('The host knows where mail comes in', { listeners: listeners.length, portal, ...applied });
  }

  async function turn(): Promise<void> {
    if (asking) return;
    asking = true;
    try {
      await ask();
      away = false;
    } catch (error) {
      if (!away) options.tell('The host does not answer', { error: describeError(error) });
      away = true;
    } finally {
      asking = false;
    }
  }

  const timer = setInterval(() => void turn(), options.everyMs ?? ASK_MS).unref();
  void turn();
  return {
    listenersChanged: () => void turn(),
    power: () => power,
    stop: () => clearInterval(timer),
  };
}

/** A path is a socket of this machine. */
function antivirusOf({ engines }: Config): 'local' | 'elsewhere' {
  return engines.clamd.enabled && engines.clamd.socket.startsWith('/') ? 'local' : 'elsewhere';
}

function listenersOf(config: Config): Array<{ name: 'mx' | 'relay'; address: string; port: number }> {
  return (['mx', 'relay'] as const)
    .filter((name) => config.listeners[name].enabled)
    .map((name) => ({ name, address: config.listeners[name].address, port: config.listeners[name].port }));
}

function portalOf({ portal }: Config): PortalReach {
  return portal.enabled ? portal.reach : 'off';
}

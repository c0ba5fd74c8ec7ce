/**
 * Run as a program of its own, unprivileged and with a deadline (facts.ts): systeminformation calls other programs and blocks
 * while it does (its issue 1044: 90 s with many interfaces). Prints one JSON object: what could be found out.
 */
import { release } from 'node:os';
import si from 'systeminformation';

async function main(): Promise<void> {
  const [system, cpu, load, heat, memory, sizes, layout, os] = await Promise.allSettled([
    si.system(),
    si.cpu(),
    si.currentLoad(),
    si.cpuTemperature(),
    si.mem(),
    si.fsSize(),
    si.diskLayout(),
    si.osInfo(),
  ]);
  const value = <T>(result: PromiseSettledResult<T>): T | undefined =>
    result.status === 'fulfilled' ? result.value : undefined;
  const facts = {
    model: value(system)?.model,
    serial: value(system)?.serial,
    os: `${value(os)?.distro ?? 'Linux'} ${value(os)?.release ?? ''}`.trim(),
    kernel: release(),
    cpu: {
      model: `${value(cpu)?.manufacturer ?? ''} ${value(cpu)?.brand ?? ''}`.trim(),
      cores: value(cpu)?.cores ?? 0,
      load: value(load)?.currentLoad,
      heat: value(heat)?.main,
    },
    memory: value(memory),
    sizes: value(sizes) ?? [],
    layout: value(layout) ?? [],
  };
  process.stdout.write(JSON.stringify(facts));
}

await main();

/**
 * Brings a configuration of an older version to this one, step by step, before the schema sees it. Version 1 is the first,
 * so there is no step yet. A file of a newer version is refused: half understood it would be half obeyed. Pure.
 */
import type { ConfigProblem } from '../problems.ts';

export const CONFIG_VERSION = 1;

/** `STEPS.get(n)` turns version n into n + 1. */
export type MigrationSteps = ReadonlyMap<number, (input: Record<string, unknown>) => Record<string, unknown>>;
const STEPS: MigrationSteps = new Map();

export type MigrationResult = { ok: true; value: unknown; from: number } | { ok: false; problem: ConfigProblem };

export function migrate(input: unknown, options: { steps?: MigrationSteps; target?: number } = {}): MigrationResult {
  const target = options.target ?? CONFIG_VERSION;
  const steps = options.steps ?? STEPS;
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return { ok: true, value: input, from: target };
  const record = input as Record<string, unknown>;
  const version = record['version'] ?? target;
  // what is no version number at all is the schema's to tell
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1)
    return { ok: true, value: input, from: target };
  if (version > target) return { ok: false, problem: newerVersion(version, target) };
  let value = record;
  for (let at = version; at < target; at += 1) {
    const step = steps.get(at);
    if (step === undefined) return { ok: false, problem: noWay(at, target) };
    value = { ...step(structuredClone(value)), version: at + 1 };
  }
  return { ok: true, value, from: version };
}

function newerVersion(version: number, target: number): ConfigProblem {
  return {
    path: 'version',
    found: String(version),
    message: {
      en: `This configuration was made by a newer version of Sekisho (format ${version}; this one reads up to ${target})`,
      ja: `この設定は新しい版の Sekisho で作られました（形式 ${version}、この版が読めるのは ${target} まで）`,
    },
    allowed: { en: `1 to ${target}`, ja: `1 から ${target}` },
    remedy: {
      en: 'Update Sekisho, or restore a configuration of this version with "sekisho config rollback"',
      ja: 'Sekisho を更新するか、「sekisho config rollback」でこの版の設定に戻してください',
    },
  };
}

function noWay(version: number, target: number): ConfigProblem {
  return {
    path: 'version',
    found: String(version),
    message: {
      en: `No way is known from format ${version} to ${target}`,
      ja: `形式 ${version} から ${target} への変換方法がありません`,
    },
    remedy: {
      en: 'Update by way of a version that still read this format',
      ja: 'この形式を読める版を経由して更新してください',
    },
  };
}

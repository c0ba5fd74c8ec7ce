/**
 * The machine itself, as the host process tells it: facts, network, time, services, logs, power, UPS, updates, help. Shapes
 * are the host's own. While the host does not answer, each of these says so (503 HOST_NOT_RUNNING), and nothing else fails.
 */
import { z } from 'zod';
import { advisories } from '../../control/advisory-shapes.ts';
import * as host from '../../control/host-shapes.ts';
import { HOST_VERBS } from '../../control/host-contract.ts';
import { spamMaps } from '../../control/map-shapes.ts';
import { signatures } from '../../control/signature-shapes.ts';
import { operation } from './operation.ts';
import { count } from './shapes.ts';

const nothing = z.strictObject({});

export const MACHINE_OPERATIONS = {
  'system.status': operation('GET', '/system', {
    summary: { ja: '機器の状態', en: 'State of the machine' },
    access: 'system.read',
    response: host.hostStatus,
  }),
  'system.facts': operation('GET', '/system/facts', {
    summary: { ja: 'CPU・メモリー・ディスク・温度', en: 'Processor, memory, disks, temperature' },
    access: 'system.read',
    response: host.facts,
  }),
  'network.show': operation('GET', '/system/network', {
    summary: { ja: 'ネットワーク', en: 'Network' },
    access: 'system.read',
    response: host.network,
  }),
  'network.set': operation('PUT', '/system/network', {
    summary: { ja: 'ネットワークを変える（確認しないと元に戻る）', en: 'Change the network; reverts unless confirmed' },
    access: 'system.change',
    deadlineMs: 70_000,
    body: z.strictObject({ settings: host.networkSettings }),
    response: host.pendingChange,
  }),
  'network.confirm': operation('POST', '/system/network/confirm', {
    summary: { ja: 'ネットワークの変更を確定する', en: 'Keep the changed network' },
    access: 'system.change',
    body: HOST_VERBS['network.confirm'].request,
  }),
  'network.revert': operation('POST', '/system/network/revert', {
    summary: { ja: 'ネットワークの変更を取り消す', en: 'Take the changed network back' },
    access: 'system.change',
    deadlineMs: 70_000,
    body: nothing,
  }),
  'time.show': operation('GET', '/system/time', {
    summary: { ja: '時刻', en: 'Time' },
    access: 'system.read',
    response: host.clock,
  }),
  'time.set': operation('PUT', '/system/time', {
    summary: { ja: '時刻とタイムゾーンを合わせる', en: 'Set zone or time' },
    access: 'system.change',
    body: HOST_VERBS['time.set'].request,
    response: host.clock,
  }),
  'services.list': operation('GET', '/system/services', {
    summary: { ja: 'サービス', en: 'Services' },
    access: 'system.read',
    response: z.object({ services: z.array(host.service) }),
  }),
  'services.restart': operation('POST', '/system/services/restart', {
    summary: { ja: 'サービスを再起動する', en: 'Restart a service' },
    access: 'system.change',
    deadlineMs: 125_000,
    body: HOST_VERBS['services.restart'].request,
  }),
  'logs.read': operation('GET', '/system/logs', {
    summary: { ja: 'ログ', en: 'Logs' },
    access: 'system.read',
    query: HOST_VERBS['logs.read'].request,
    response: HOST_VERBS['logs.read'].response,
  }),
  'power.reboot': operation('POST', '/system/reboot', {
    summary: { ja: '再起動する', en: 'Restart the box' },
    access: 'system.change',
    confirm: true,
    body: HOST_VERBS['power.reboot'].request,
  }),
  'power.off': operation('POST', '/system/power-off', {
    summary: { ja: '電源を切る', en: 'Switch the box off' },
    access: 'system.change',
    confirm: true,
    body: nothing,
  }),
  'degraded.end': operation('POST', '/system/degraded/end', {
    summary: { ja: '縮退運転を終える', en: 'Start the gateway in full again' },
    access: 'system.change',
    deadlineMs: 65_000,
    body: nothing,
  }),
  'diagnostics.run': operation('POST', '/system/diagnostics', {
    summary: { ja: '診断', en: 'Diagnostics: ping, DNS, route, SMTP, ports, disk, engines, time' },
    access: 'system.read',
    change: false,
    deadlineMs: 65_000,
    body: HOST_VERBS['diagnostics.run'].request,
    response: host.diagnostic,
  }),
  'bundle.preview': operation('GET', '/system/bundle', {
    summary: { ja: 'サポート用ファイルの中身', en: 'What a support bundle would hold, in full' },
    access: 'system.change',
    deadlineMs: 65_000,
    response: HOST_VERBS['bundle.preview'].response,
  }),
  'bundle.create': operation('POST', '/system/bundle', {
    summary: { ja: 'サポート用ファイルを作る（暗号化）', en: 'Make a support bundle, encrypted' },
    access: 'system.change',
    deadlineMs: 125_000,
    body: HOST_VERBS['bundle.create'].request,
    response: HOST_VERBS['bundle.create'].response,
  }),
  'bundle.download': operation('GET', '/system/bundle/{id}', {
    summary: { ja: 'サポート用ファイルを取り出す', en: 'Download a support bundle' },
    access: 'system.change',
    deadlineMs: 125_000,
    params: z.strictObject({ id: z.string().regex(/^[A-Za-z0-9-]{1,64}$/) }),
    media: 'application/octet-stream',
    response: z.string(),
  }),
  'usb.list': operation('GET', '/system/usb', {
    summary: { ja: 'USB メモリー', en: 'USB sticks' },
    access: 'system.read',
    response: z.object({ sticks: z.array(host.usbStick) }),
  }),
  'ups.show': operation('GET', '/system/ups', {
    summary: { ja: '無停電電源装置 (UPS)', en: 'UPS' },
    access: 'system.read',
    response: host.ups,
  }),
  'ups.set': operation('PUT', '/system/ups', {
    summary: { ja: 'UPS の設定', en: 'Where to look for a UPS' },
    access: 'system.change',
    deadlineMs: 95_000,
    body: HOST_VERBS['ups.set'].request,
  }),
  'signatures.show': operation('GET', '/system/signatures', {
    summary: { ja: 'ウイルス定義', en: 'Virus signatures, and the memory they take' },
    access: 'system.read',
    response: signatures,
  }),
  'signatures.set': operation('PUT', '/system/signatures', {
    summary: {
      ja: 'ウイルス定義の取得元とメモリーの使い方',
      en: 'Where virus signatures come from, and how much memory they may take',
    },
    access: 'system.change',
    deadlineMs: 95_000,
    body: HOST_VERBS['signatures.set'].request,
  }),
  'signatures.install': operation('POST', '/system/signatures/install', {
    summary: { ja: 'アップロードしたウイルス定義を確かめて使う', en: 'Prove uploaded virus signatures and use them' },
    access: 'system.change',
    body: HOST_VERBS['signatures.install'].request,
  }),
  'maps.show': operation('GET', '/system/maps', {
    summary: { ja: '迷惑メール判定に使う自社のリスト', en: 'Own lists for the spam filter' },
    access: 'system.read',
    response: spamMaps,
  }),
  'maps.set': operation('PUT', '/system/maps', {
    summary: { ja: '自社のリストの入手先', en: 'Where own lists for the spam filter come from' },
    access: 'system.change',
    body: HOST_VERBS['maps.set'].request,
  }),
  'advisories.show': operation('GET', '/system/advisories', {
    summary: { ja: '本機に含まれるソフトウェアの既知の弱点', en: 'Known weaknesses of what the box carries' },
    access: 'system.read',
    response: advisories,
  }),
  'update.show': operation('GET', '/system/update', {
    summary: { ja: '更新', en: 'Updates' },
    access: 'system.read',
    response: host.update,
  }),
  'update.check': operation('POST', '/system/update/check', {
    summary: { ja: '更新を確認する', en: 'Look for an update' },
    access: 'system.change',
    deadlineMs: 65_000,
    body: nothing,
    response: host.update,
  }),
  'update.upload': operation('PUT', '/system/update/upload', {
    summary: { ja: '更新ファイルを少しずつ送る', en: 'Upload an update, a part at a time' },
    access: 'system.change',
    deadlineMs: 60_000,
    bodyOctets: 6 * 1024 * 1024,
    /** In order from offset 0; `data` in base64, at most 4 MiB each. Then install {from: 'upload', file}. */
    body: z.strictObject({
      file: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'Give a file name without a folder'),
      offset: count,
      data: z.base64().max(5_700_000),
    }),
    response: z.object({ octets: count }),
  }),
  'update.install': operation('POST', '/system/update/install', {
    summary: { ja: '更新を入れる', en: 'Install an update' },
    access: 'system.change',
    confirm: true,
    body: HOST_VERBS['update.install'].request,
  }),
  'update.set': operation('PUT', '/system/update', {
    summary: { ja: '更新の設定', en: 'Where updates come from, and when' },
    access: 'system.change',
    confirm: true,
    body: HOST_VERBS['update.set'].request,
  }),
} as const;

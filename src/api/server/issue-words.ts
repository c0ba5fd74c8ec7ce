/** What is wrong with a field, as a sentence for whoever filled it in. Pure. */
import type { z } from 'zod';
import type { Text } from '../../base/i18n.ts';

type Issue = z.core.$ZodIssue;

/** Sentences of the contract, which are written in English where they are checked. */
const JAPANESE: Readonly<Record<string, string>> = {
  'Give a whole number': '整数を入力してください',
  'Give a queue id like "0000K3M-7Q2ABCDEFGHJK"': 'キュー ID（例: 0000K3M-7Q2ABCDEFGHJK）を入力してください',
  'Give an id as listed': '一覧にある ID を指定してください',
  'Give a time like "2026-11-21T09:00:00Z"': '日時を「2026-11-21T09:00:00Z」の形で入力してください',
  'Give a name of lower-case letters, digits, dots and hyphens': '英小文字、数字、ドット、ハイフンで入力してください',
  'Give the six digits of the app': 'アプリに表示された 6 桁の数字を入力してください',
  'Give a file name without a folder': 'フォルダーを含まないファイル名を入力してください',
  'Give a value': '値を入力してください',
  'Give an IP address like "192.0.2.10"': 'IP アドレス（例: 192.0.2.10）を入力してください',
  'Give an address with its prefix length like "192.0.2.10/24"':
    'アドレスとプレフィックス長（例: 192.0.2.10/24）を入力してください',
  'Give an interface name like "eth0"': 'インターフェイス名（例: eth0）を入力してください',
  'Give a host name like "mail.example.jp"': 'ホスト名（例: mail.example.jp）を入力してください',
  'Give a host name or an IP address': 'ホスト名か IP アドレスを入力してください',
  'Give at least 12 characters': '12 文字以上で入力してください',
};

export function issueWords(issue: Issue): Text {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined && !issue.message.includes('received')
        ? { ja: '入力してください', en: 'This is needed' }
        : issue.message.endsWith('received undefined')
          ? { ja: '入力してください', en: 'This is needed' }
          : { ja: `${typeWord(issue.expected)}で指定してください`, en: `Give ${issue.expected}` };
    case 'too_small':
      return issue.origin === 'string'
        ? { ja: `${issue.minimum} 文字以上で入力してください`, en: `Give at least ${issue.minimum} characters` }
        : issue.origin === 'array'
          ? { ja: `${issue.minimum} 件以上指定してください`, en: `Give at least ${issue.minimum}` }
          : { ja: `${issue.minimum} 以上にしてください`, en: `Give at least ${issue.minimum}` };
    case 'too_big':
      return issue.origin === 'string'
        ? { ja: `${issue.maximum} 文字以内で入力してください`, en: `Give at most ${issue.maximum} characters` }
        : issue.origin === 'array'
          ? { ja: `${issue.maximum} 件以内にしてください`, en: `Give at most ${issue.maximum}` }
          : { ja: `${issue.maximum} 以下にしてください`, en: `Give at most ${issue.maximum}` };
    case 'invalid_value': {
      const values = issue.values.map(String).slice(0, 20).join(', ');
      return { ja: `次のどれかにしてください: ${values}`, en: `Give one of: ${values}` };
    }
    case 'unrecognized_keys': {
      const keys = issue.keys.slice(0, 5).join(', ').slice(0, 200);
      return { ja: `知らない項目です: ${keys}`, en: `Unknown: ${keys}` };
    }
    case 'invalid_union':
      return { ja: '指定のしかたが正しくありません', en: 'None of the possible forms fits' };
    case 'invalid_format':
    case 'custom':
    case 'not_multiple_of':
    case 'invalid_key':
    case 'invalid_element':
      return { ja: JAPANESE[issue.message] ?? '形が正しくありません', en: issue.message };
    default:
      return { ja: '正しくありません', en: 'Not valid' };
  }
}

function typeWord(expected: string): string {
  const words: Readonly<Record<string, string>> = {
    string: '文字列',
    number: '数',
    int: '整数',
    boolean: 'true か false',
    array: '配列',
    object: 'オブジェクト',
  };
  return words[expected] ?? expected;
}

/**
 * The two pages that need no build: the one on plain port 80 until the box is claimed, which explains the browser's warning
 * and shows the fingerprint to compare, and the one shown when the pages themselves are missing. No script, no style attribute.
 */

/** `url`: where the real pages are. */
export function plainPage(told: { url: string; fingerprint: string; hostname: string }): string {
  const url = escape(told.url);
  const print = escape(told.fingerprint);
  return page(
    'Sekisho',
    `<h1>関所 Sekisho</h1>
<section lang="ja">
<h2>はじめに</h2>
<p>設定は暗号化されたページで行います: <a href="${url}">${url}</a></p>
<p>この機器の証明書は本機が自分で作ったものなので、ブラウザーは最初に<strong>警告を表示します。これは正常です。</strong>
「詳細」から先へ進む前に、警告の画面で証明書の SHA-256 フィンガープリントを開き、次と同じであることを確かめてください。
同じなら、間に誰もいません。違うときは進まずに、配線とネットワークを確かめてください。</p>
<p class="print">${print}</p>
<p>同じものが本機のコンソールにも表示されます。次のページでは、コンソールに表示されたセットアップコード（10 文字）を入力します。</p>
</section>
<section lang="en">
<h2>Getting started</h2>
<p>Settings are made on an encrypted page: <a href="${url}">${url}</a></p>
<p>The box made its certificate itself, so your browser <strong>will warn you first. That is normal.</strong>
Before you go on behind “Advanced”, open the certificate in the warning and compare its SHA-256 fingerprint with the one
below. If they are the same nobody sits in between. If they differ do not go on: check the cables and the network.</p>
<p class="print">${print}</p>
<p>The console of the box shows the same. The next page asks for the setup code on the console (ten characters).</p>
</section>`,
  );
}

export function unbuiltPage(): string {
  return page(
    'Sekisho',
    `<h1>関所 Sekisho</h1>
<p lang="ja">ページがまだ作られていません。<code>npm run build:webui</code> を実行するか、<code>./scripts/start</code> で起動してください。API は動いています。</p>
<p lang="en">The pages are not built yet: run <code>npm run build:webui</code>, or start with <code>./scripts/start</code>. The API works.</p>`,
  );
}

/** Of the plain page: its one style sheet stands in the page, allowed by its hash-free policy for styles alone. */
export const PLAIN_PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="ja"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>body{font:16px/1.7 system-ui,"Hiragino Sans","Noto Sans JP",sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.1rem}.print{font-family:ui-monospace,monospace;overflow-wrap:anywhere;background:#f2f2f0;padding:.6rem .8rem}</style></head>
<body>${body}</body></html>
`;
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);
}

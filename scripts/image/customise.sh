# shellcheck shell=bash
# Step 3: Debian's tree becomes the box: our files over it, programs, engines' configuration, users, what starts and what never
# does, the small system of the start, and then everything away that a gateway has no use for.

# Debian's own units that are not wanted: ours run the same programs with less rights, or nothing does.
MASKED='apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service
  clamav-daemon.service clamav-daemon.socket clamav-freshclam.service clamav-freshclam-once.timer rspamd.service unbound.service
  unbound-resolvconf.service grub-common.service nut-driver-enumerator.service nut-driver-enumerator.path
  nut-driver-enumerator-daemon.service getty@tty1.service serial-getty@ttyS0.service serial-getty@ttyAMA0.service
  systemd-firstboot.service systemd-machine-id-commit.service systemd-timesyncd.service systemd-resolved.service
  systemd-networkd-wait-online.service systemd-update-utmp.service debug-shell.service systemd-pcrphase.service
  ldconfig.service systemd-journal-catalog-update.service systemd-update-done.service systemd-binfmt.service
  systemd-hwdb-update.service systemd-tpm2-setup.service systemd-tpm2-setup-early.service systemd-pcrmachine.service
  systemd-pcrphase-sysinit.service systemd-pcrphase-initrd.service systemd-sysext.socket systemd-creds.socket
  systemd-mountfsd.socket systemd-hostnamed.socket systemd-bootctl.socket systemd-pcrextend.socket systemd-pcrlock.socket
  sys-kernel-config.mount sys-fs-fuse-connections.mount sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount
  dev-mqueue.mount modprobe@configfs.service modprobe@fuse.service modprobe@drm.service
  getty-static.service systemd-ask-password-console.path systemd-ask-password-wall.path
  ctrl-alt-del.target systemd-hibernate.service systemd-suspend.service suspend.target hibernate.target hybrid-sleep.target'

customise() {
  TREE=$WORK/tree
  mkdir "$TREE"
  zstd -dcq "$BASE" | tar -C "$TREE" -xf - --numeric-owner --exclude='./dev/*'
  mkdir -p "$WORK/loaders"
  for package in "$TREE"/var/cache/*.deb; do dpkg-deb -x "$package" "$WORK/loaders"; done
  lay_files
  lay_programs
  lay_engines
  choose_units
  make_initrd
  if [ "$ARCH" = amd64 ]; then make_bios_core; fi
  write_os_release
  clear_away
  write_papers
  check_tree
}

inside() { chroot "$TREE" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TMPDIR=/tmp "$@"; }

lay_files() {
  # Modes and owners are those of the box, not of the checkout.
  (cd "$ROOT/rootfs" && find . -type f ! -name README.md -print0 | while IFS= read -r -d '' file; do
    mode=644
    if [ -x "$file" ]; then mode=755; fi
    install -D -o 0 -g 0 -m "$mode" "$file" "$TREE/$file"
  done)
  sed -i "s/@ARCH@/$ARCH/; s/@VERSION@/$VERSION/" "$TREE/etc/rauc/system.conf"
  # the programs as they are in the box: see lay_programs
  sed -i -E 's#(/usr/lib/sekisho/| )src/([a-z]+)\.ts#\1src/\2.js#g' "$TREE"/usr/lib/systemd/system/sekisho-*.service "$TREE/usr/bin/sekisho"
  printf '127.0.0.1 localhost\n::1 localhost\n' > "$TREE/etc/hosts"
  printf 'sekisho\n' > "$TREE/etc/hostname"
  rm -f "$TREE/etc/resolv.conf"
  printf 'nameserver 127.0.0.1\noptions edns0 trust-ad timeout:3\n' > "$TREE/etc/resolv.conf"
  # Empty, not missing: the initrd lays the machine's own over it.
  : > "$TREE/etc/machine-id"
  # read-only: what the owner chooses is found through here
  ln -sfn /var/lib/sekisho-host/localtime "$TREE/etc/localtime"
  rm -f "$TREE/etc/fstab" "$TREE/etc/mtab"
  ln -s /proc/self/mounts "$TREE/etc/mtab"
  mkdir -p "$TREE/efi"
}

lay_programs() {
  local app=$TREE/usr/lib/sekisho entry
  mkdir -p "$app/compile-cache" "$TREE/usr/share/sekisho"
  # one file a program: a small CPU opens a dozen instead of a thousand
  (cd "$ROOT" && "$NODE" "$IMAGE/bundle-programs.ts" --out "$app/src" --lists "$WORK")
  mkdir -p "$app/node_modules"
  while read -r entry; do cp -r "$RUNTIME/node_modules/$entry" "$app/node_modules/"; done < "$WORK/external"
  cp "$RUNTIME/node" "$ROOT/package.json" "$ROOT/LICENSE" "$app/"
  # the programs read their version there: an update's is compared with it
  sed -i -E "s/^(  \"version\": )\"[^\"]*\"/\1\"$VERSION\"/" "$app/package.json"
  if [ -d "$ROOT/webui/dist" ]; then
    mkdir -p "$app/webui"
    cp -r "$ROOT/webui/dist" "$app/webui/"
  fi
  chown -R 0:0 "$app"
  chmod -R u=rwX,go=rX "$app"
  cp "$ROOTS" "$TREE/usr/share/sekisho/update-roots.pem"
  chmod 644 "$TREE/usr/share/sekisho/update-roots.pem"
  mount_proc
  make_bytecode
}

# The programs' bytecode, so that a small CPU need not compile them at each start: run to its usage line or first error, by the box's
# own Node (emulated where it is another CPU's).
make_bytecode() {
  local app=$TREE/usr/lib/sekisho entry flags patience=60
  [ "$ARCH" = "$MACHINE" ] || patience=300
  for entry in gateway inspect admin portal host console cli; do
    # V8 takes bytecode only under the flags it was made with.
    flags=()
    [ "$entry" != gateway ] || read -ra flags < <(gateway_flags)
    inside env NODE_COMPILE_CACHE=/usr/lib/sekisho/compile-cache timeout "$patience" \
      /usr/lib/sekisho/node "${flags[@]}" "/usr/lib/sekisho/src/$entry.js" --usage > /dev/null 2>&1 < /dev/null || true
  done
  share_cache "$app/compile-cache"
  chmod -R u=rwX,go=rX "$app/compile-cache"
}

# Those of its unit.
gateway_flags() {
  sed -n 's|^ExecStart=/usr/lib/sekisho/node \(--.*\) src/gateway.*|\1|p' "$ROOT/rootfs/usr/lib/systemd/system/sekisho-gateway.service"
}

# Node looks in a folder whose name ends in the user's number: one cache for each set of flags, a name for each user of ours.
share_cache() {
  local made id
  for made in "$1"/*-0; do
    [ -d "$made" ] || fail 1 'プログラムのバイトコードがありません。' 'The programs left no bytecode.'
    for id in $(awk '/^u sekisho/ { print $3 }' "$ROOT/rootfs/usr/lib/sysusers.d/sekisho.conf"); do
      ln -s "$(basename "$made")" "${made%-0}-$id"
    done
  done
}

mount_proc() {
  grep -qs " $TREE/proc " /proc/mounts || mount -t proc proc "$TREE/proc"
}

# The same configuration that ./scripts/start runs, with the box's paths.
lay_engines() {
  local to=$TREE/etc/sekisho from=$ROOT/scripts/engines run=/run/sekisho-engines
  mkdir -p "$to/rspamd"
  sed "s|@DATABASE@|/var/lib/clamav/current|; s|@STATE@|/tmp|; s|@RUN@|$run/clamd|;
    s|^LocalSocketMode 600|LocalSocketMode 660\nLocalSocketGroup sekisho-engines|" "$from/clamd.conf" > "$to/clamd.conf"
  # with memory for two (src/host/signature-files.ts), and the second one that proves new signatures
  sed "s|^ConcurrentDatabaseReload no|ConcurrentDatabaseReload yes|" "$to/clamd.conf" > "$to/clamd-concurrent.conf"
  sed "s|@DATABASE@|/var/lib/clamav/candidate|; s|@STATE@|/tmp|; s|@RUN@|/run/sekisho-proof|; s|^MaxThreads .*|MaxThreads 2|" \
    "$from/clamd.conf" > "$to/clamd-proof.conf"
  sed "s|@RUN@|$run/rspamd|; s|@STATE@|/var/lib/rspamd|; s|@DNS_PORT@|53|; s|@WORKERS@|1|; s|@MAPS@|/var/lib/sekisho-maps/current|;
    s|@PUBLIC_SUFFIXES@|/usr/share/publicsuffix/public_suffix_list.dat|;
    s|\(rspamd.sock\) mode=0600|\1 mode=0660 group=sekisho-engines|" "$from/rspamd.conf" > "$to/rspamd.conf"
  sed "s|@STATE@|/var/lib/unbound|; s|@DNS_PORT@|53|; s|@LOG_QUERIES@|no|;
    s|^@TRUST_ANCHOR@|  auto-trust-anchor-file: \"/var/lib/unbound/root.key\"|;
    s|^@ZONES@|include: \"/run/sekisho-unbound/*.conf\"|" "$from/unbound.conf" > "$to/unbound.conf"
  local left
  left=$(grep -nE '^[^#]*@[A-Z_]+@' "$to"/*.conf || true)
  [ -z "$left" ] || fail 1 "埋まっていない印があります: $left" "A mark was not filled: $left"
  (cd "$ROOT" && "$NODE" --input-type=module -e '
    import { starterSignatures } from "./scripts/engines/starter-signatures.ts";
    process.stdout.write(starterSignatures());') > "$TREE/usr/share/sekisho/starter.ndb"
  (cd "$ROOT" && "$NODE" "$IMAGE/ham.ts" "$TREE/usr/share/sekisho/ham")
}

# What systemd would make up from the hardware it sees: logins on each line, mounts by partition type, an SSH socket.
GENERATORS='systemd-getty-generator systemd-gpt-auto-generator systemd-ssh-generator systemd-hibernate-resume-generator
  systemd-tpm2-generator systemd-bless-boot-generator systemd-rc-local-generator systemd-sysv-generator'

choose_units() {
  local unit
  # Debian enables what it installs; here only what stands in rootfs' preset and what is static starts.
  rm -rf "$TREE/etc/systemd/system"/*.wants "$TREE/etc/systemd/system"/*.requires
  find "$TREE/etc/systemd/system" -maxdepth 1 -type l -delete
  for unit in $MASKED; do ln -sf /dev/null "$TREE/etc/systemd/system/$unit"; done
  mkdir -p "$TREE/etc/systemd/system-generators"
  for unit in $GENERATORS; do ln -sf /dev/null "$TREE/etc/systemd/system-generators/$unit"; done
  (cd "$ROOT/rootfs/usr/lib/systemd/system" && ls) | while read -r unit; do
    if grep -qs '^\[Install\]' "$TREE/usr/lib/systemd/system/$unit"; then inside systemctl --quiet enable "$unit"; fi
  done
  # the screen, and the serial line of this kind of machine
  inside systemctl --quiet enable sekisho-console@tty1.service "sekisho-console@$(serial_line).service"
  # fstrim: a flash disk that is told each week what is free lives longer and stays fast; others say nothing to it
  inside systemctl --quiet enable chrony.service nftables.service systemd-networkd.service fstrim.timer
  ln -sfn multi-user.target "$TREE/usr/lib/systemd/system/default.target"
  if [ "$DEV" = yes ]; then
    install -m 644 "$IMAGE/dev-shell.service" "$TREE/usr/lib/systemd/system/sekisho-dev-shell.service"
    inside systemctl --quiet enable sekisho-dev-shell.service
    : > "$TREE/usr/share/sekisho/development"
  fi
  # nobody logs in: no password fits, and rescue mode gives no shell
  inside usermod --lock --shell /usr/sbin/nologin root
}

serial_line() { if [ "$ARCH" = amd64 ]; then echo ttyS0; else echo ttyAMA0; fi; }

make_initrd() {
  local kernel
  kernel=$(basename "$TREE"/lib/modules/*)
  thin_modules "$kernel"
  inside depmod "$kernel"
  sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=zstd/' "$TREE/etc/initramfs-tools/initramfs.conf"
  echo 'RESUME=none' > "$TREE/etc/initramfs-tools/conf.d/resume"
  inside env SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" mkinitramfs -o /boot/initrd.img "$kernel" > "$WORK/log" 2>&1 ||
    { tail -n 20 "$WORK/log" >&2; fail 1 'initrd を作れませんでした。' 'The initrd could not be made.'; }
  mkdir -p "$WORK/boot"
  mv "$TREE/boot/initrd.img" "$WORK/boot/initrd.img"
  mv "$TREE/boot/vmlinuz-$kernel" "$WORK/boot/vmlinuz"
}

# Drivers of things that no gateway has: they are most of the kernel's size, and code that a plug can reach.
thin_modules() {
  local drivers=$TREE/lib/modules/$1/kernel
  rm -rf "$drivers"/sound "$drivers"/drivers/{media,gpu,staging,infiniband,iio,isdn,bluetooth,nfc,comedi,accel,firewire,video,pcmcia} \
    "$drivers"/drivers/net/{wireless,can,hamradio,fddi,arcnet,wwan,ieee802154,fjes,plip} "$drivers"/drivers/input/{joystick,tablet,touchscreen} \
    "$drivers"/drivers/{parport,mtd,target,scsi/{bfa,qla2xxx,lpfc,qla4xxx,fcoe,bnx2fc,bnx2i,be2iscsi,csiostor,cxgbi,libfc},usb/gadget,net/ethernet/{mellanox,chelsio,qlogic,cavium,netronome,sfc,brocade,pensando,fungible,microsoft}} \
    "$drivers"/fs/{xfs,btrfs,ocfs2,gfs2,ceph,f2fs,bcachefs,nfs,nfsd,smb,jfs,nilfs2,ubifs,afs,orangefs,reiserfs,udf,dlm,lockd,9p,erofs,hfs,hfsplus,minix,ufs,befs,bfs,affs,coda,omfs,qnx4,qnx6,romfs,adfs,jffs2,hpfs,ntfs3,cachefs,cachefiles,netfs,afs,zonefs,ecryptfs} \
    "$drivers"/net/{bluetooth,mac80211,wireless,can,nfc,ieee802154,6lowpan,mac802154,batman-adv,sctp,tipc,rds,dccp,atm,rxrpc,9p,ceph,sunrpc,smc,ax25,netrom,rose,lapb,x25,appletalk,phonet,l2tp,mpls,openvswitch,nsh,hsr,qrtr,wwan,vmw_vsock,kcm,xdp} \
    "$TREE/lib/modules/$1/build" "$TREE/lib/modules/$1/source"
}

# By the box's own release of GRUB: its modules and the tool that joins them belong together.
make_bios_core() {
  cp -r "$WORK/loaders/usr/lib/grub/i386-pc" "$TREE/tmp/"
  inside grub-mkimage -O i386-pc -d /tmp/i386-pc -p '(hd0,gpt2)/EFI/debian' -o /tmp/core.img \
    biosdisk part_gpt fat ext2 normal linux loadenv regexp search serial terminal echo test sleep reboot halt configfile minicmd
  mv "$TREE/tmp/core.img" "$WORK/core.img"
}

write_os_release() {
  local built
  built=$(git -C "$ROOT" rev-parse --short=12 HEAD 2> /dev/null || echo unknown)
  cat > "$TREE/usr/lib/os-release" << END
NAME="Sekisho"
ID=sekisho
ID_LIKE=debian
PRETTY_NAME="Sekisho $VERSION"
VERSION_ID="$VERSION"
VARIANT_ID=$([ "$DEV" = yes ] && echo development || echo appliance)
BUILD_ID="$built"
SUPPORT_END=$(date -u -d "@$((SOURCE_DATE_EPOCH + 5 * 365 * 86400))" +%F)
END
  ln -sfn ../usr/lib/os-release "$TREE/etc/os-release"
  cp "$TREE/var/lib/dpkg/status" "$WORK/dpkg-status"
  cp -r "$TREE/usr/share/doc" "$WORK/doc"
}

# Away with what was only needed to get here.
clear_away() {
  umount "$TREE/proc"
  find "$TREE/usr/bin" "$TREE/usr/sbin" -name 'grub-*' ! -name grub-editenv -delete
  # Debian's own last word to a UPS asks /etc/nut, which is nobody's here: ours beside it does it
  rm -f "$TREE"/usr/lib/systemd/system-shutdown/nutshutdown
  rm -rf "${TREE:?}"/var/* "$TREE"/tmp/* "$TREE"/run/* "${TREE:?}"/boot/* "$TREE"/root/.[!.]* "$TREE"/etc/apt "$TREE"/usr/lib/apt "$TREE"/usr/share/{bug,lintian,bash-completion,zsh,initramfs-tools,grub,info,man,locale,pixmaps,perl5/Debconf,debconf} \
    "$TREE"/usr/bin/{apt,apt-get,apt-cache,apt-cdrom,apt-config,apt-key,apt-mark,dpkg-deb,dpkg-split} "$TREE"/etc/{cron.*,logrotate.d,init.d,rc*.d,initramfs-tools,clamav,rspamd/local.d,unbound/unbound.conf.d,ucf.conf,update-motd.d} \
    "$TREE"/usr/lib/grub "$TREE"/usr/sbin/{update-grub*,mkinitramfs,update-initramfs} "$TREE"/usr/lib/x86_64-linux-gnu/libapt-* "$TREE"/usr/lib/aarch64-linux-gnu/libapt-* "$TREE"/etc/ssl/private/* "$TREE"/etc/*- "$TREE"/etc/.pwd.lock
  mkdir -p "$TREE/boot" "$TREE/var"
  : > "$TREE/usr/lib/clock-epoch"
}

# What must not be in the box, and what must be as it is said to be.
check_tree() {
  local found name id
  found=$(cd "$TREE" && ls -d {usr/,}{s,}bin/{gcc,g++,cc,c++,ld,as,make,gdb,tcc,clang,ssh,scp,sshd,dropbear,cron,crond,anacron,at,sendmail,mail,mailx,exim4,postfix,telnet,telnetd,ftp,nc,curl,wget,python3,perl5} 2> /dev/null | sort -u || true)
  [ -z "$found" ] || fail 1 "箱にあってはならないもの: $found" "This must not be in the box: $found"
  # what the host calls; of one that is missing nobody hears before an owner needs it
  for name in busybox chronyc cryptsetup date fstrim hostnamectl ip journalctl lsblk mount networkctl nft openssl rauc smartctl ss \
    systemctl systemd-creds systemd-tmpfiles umount; do
    [ -x "$TREE/usr/bin/$name" ] || [ -x "$TREE/usr/sbin/$name" ] || fail 1 "箱に $name がありません。" "The box has no $name."
  done
  # both slots own the files of one data partition
  while read -r name id; do
    [ "$(stat -c %n "$TREE/usr" > /dev/null && awk -F: -v n="$name" '$1 == n { print $3 }' "$TREE/etc/passwd")" = "$id" ] ||
      fail 1 "ユーザー $name の番号が $id ではありません。" "The user $name has not the number $id."
  done < <(awk '/^u / { print $2, $3 }' "$ROOT/rootfs/usr/lib/sysusers.d/sekisho.conf")
  # no password, no key, nothing that runs with another's rights but what must
  found=$(awk -F: '$2 != "*" && $2 !~ /^!/ { print $1 }' "$TREE/etc/shadow")
  [ -z "$found" ] || fail 1 "パスワードのあるユーザー: $found" "A user with a password: $found"
  find "$TREE" -xdev -type f -perm /6000 -exec chmod a-s {} +
  check_units
}

# DESIGN's promise for what parses mail or speaks HTTP. The analysis is that of the box's own systemd.
check_units() {
  local unit score
  for unit in gateway inspect@ admin portal clamd clamd-proof rspamd freshclam unbound; do
    [ -e "$TREE/usr/lib/systemd/system/sekisho-$unit.service" ] || continue
    mount_proc
    score=$(inside systemd-analyze security --offline=true --no-pager "/usr/lib/systemd/system/sekisho-$unit.service" 2> /dev/null |
      sed -nE 's/.*Overall exposure level[^:]*: ([0-9.]+).*/\1/p' || true)
    umount "$TREE/proc"
    say "      sekisho-$unit.service: 露出度 ${score:-?}" "      sekisho-$unit.service: exposure ${score:-?}"
    awk -v s="${score:-10}" 'BEGIN { exit !(s <= 2.0) }' ||
      fail 1 "sekisho-$unit.service の守りが弱すぎます: ${score:-?}（2.0 まで）" "sekisho-$unit.service is too exposed: ${score:-?} of 2.0"
  done
}

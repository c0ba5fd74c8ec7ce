#!/usr/bin/env bash
# native-tools.sh lend|take-back TREE: while Debian's packages of another CPU are set up, the tools whose work does not depend on the
# CPU (shell, tar, text tools, Perl, the unpacking of packages) are this machine's own, with the libraries they need: most of such a
# build is starting them, some ten thousand times, and emulated each start costs several times as much. What is the CPU's own (dpkg
# itself, ldconfig, depmod, systemd's tools) stays emulated. dpkg is told of a diversion for each, so that Debian's own file goes aside
# when its package comes; `take-back` puts them into their places and nothing of this machine's is left.
set -euo pipefail
tree=$2
aside=$tree/.sekisho-native
diversions=$tree/var/lib/dpkg/diversions

TOOLS='dash bash perl tar gzip xz dpkg-deb dpkg-split sed grep mawk find xargs cat chgrp chmod chown cp cut date dirname basename
  expr head id install ln ls mkdir mktemp mv readlink realpath rm rmdir sha256sum md5sum sort stat tail tee test touch tr true uname
  uniq wc run-parts tempfile'

# What a program needs to start: its loader and libraries, whose paths have a CPU's name in them. Below /usr, as Debian has it.
needed_by() { ldd "$1" | sed -nE 's#^[^/]*(/[^ ]+) \(0x.*#\1#p' | sed -E 's#^/(lib[^/]*)/#/usr/\1/#'; }

lend() {
  local name own file
  mkdir "$aside"
  : > "$aside/added"
  # where the loader of amd64 is looked for
  [ -e "$tree/lib64" ] || { ln -s usr/lib64 "$tree/lib64" && : > "$aside/lib64"; }
  for name in $TOOLS; do
    own=$(realpath "$(command -v "$name" || echo /nowhere)" 2> /dev/null || true)
    file=$tree/usr/bin/$name
    if [ ! -f "$own" ] || [ ! -f "$file" ] || [ -L "$file" ]; then continue; fi
    needed_by "$own" >> "$aside/added"
    mv "$file" "$aside/$name"
    cp -p "$own" "$file"
    # dpkg's format: from, to, whose (":" is the administrator's)
    printf '%s\n' "/usr/bin/$name" "/${aside##*/}/$name" : >> "$diversions"
  done
  # Perl's modules of its version and CPU
  perl -e 'print grep { m{/perl-base$} } map { "$_\n" } @INC' >> "$aside/added"
  sort -u -o "$aside/added" "$aside/added"
  while read -r file; do
    [ ! -e "$tree$file" ] || { echo "native-tools: $file is in the tree" >&2; exit 1; }
    mkdir -p "$tree$(dirname "$file")"
    cp -rL --preserve=mode "$file" "$tree$file"
  done < "$aside/added"
}

take_back() {
  local file name
  if [ -e "$aside/lib64" ]; then rm "$tree/lib64" "$aside/lib64"; fi
  for file in "$aside"/*; do
    name=${file##*/}
    [ "$name" != added ] || continue
    mv -f "$file" "$tree/usr/bin/$name"
  done
  while read -r file; do
    rm -rf "${tree:?}$file"
    # up to the first folder that is Debian's
    rmdir -p "$tree$(dirname "$file")" 2> /dev/null || true
  done < "$aside/added"
  awk -v ours="/${aside##*/}/" '{ from = $0; getline to; getline whose
    if (index(to, ours) != 1) print from "\n" to "\n" whose }' "$diversions" > "$aside/added"
  cat "$aside/added" > "$diversions"
  rm -rf "$aside"
}

case $1 in
  lend) lend ;;
  take-back) take_back ;;
  *) exit 2 ;;
esac

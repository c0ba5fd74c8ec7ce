#!/bin/bash
# The only part of a start that runs as root: installs the Debian packages named as arguments and leaves no service of the
# distribution running that was not there before. A policy-rc.d of ours stands only while apt works; one that exists is
# left alone. Units of packages that were already installed are never touched. Exit: 0 done, 1 apt failed, 130 stopped.
set -u
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
LANGUAGE_CODE=${1:?language}
shift
POLICY=/usr/sbin/policy-rc.d
MARK='# made by sekisho scripts/start while it installs packages; may be removed'
LOG=$(mktemp /tmp/sekisho-apt.XXXXXX)
OURS=no
APT_PID=

say() { if [ "$LANGUAGE_CODE" = ja ]; then printf '%s\n' "$1"; else printf '%s\n' "$2"; fi; }

cleanup() {
  [ "$OURS" = no ] || rm -f -- "$POLICY"
  rm -f -- "$LOG"
}

# Ctrl-C: a download is cut off; dpkg at work is let finish, because half-installed packages help nobody.
interrupted() {
  trap '' INT TERM HUP
  if [ -n "$APT_PID" ] && kill -0 "$APT_PID" 2>/dev/null; then
    if grep -qE '^(Preparing to unpack|Unpacking|Setting up|Selecting)' "$LOG"; then
      say '    dpkg の作業が終わるのを待って止めます…' '    Letting dpkg finish, then stopping…'
    else
      kill -TERM "$APT_PID" 2>/dev/null
    fi
    wait "$APT_PID"
  fi
  disable_new_units
  exit 130
}
trap cleanup EXIT
trap interrupted INT TERM HUP

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Names of installed packages, one a line.
snapshot() { dpkg-query -W -f='${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort; }

# Works on the unit files alone, so it also holds where systemd is not running, or comes later (Debian's helper stands in).
disable_new_units() {
  local package unit disable
  if command -v systemctl >/dev/null 2>&1; then
    disable='systemctl disable'
  elif command -v deb-systemd-helper >/dev/null 2>&1; then
    disable='deb-systemd-helper disable'
  else
    return 0
  fi
  comm -13 <(printf '%s\n' "$BEFORE") <(snapshot) | while read -r package; do
    dpkg-query -L "$package" 2>/dev/null |
      sed -nE 's#^(/usr)?/lib/systemd/system/([^/@]+\.(service|socket|timer))$#\2#p' | while read -r unit; do
      # The helper works only for a package it is told of.
      DPKG_MAINTSCRIPT_PACKAGE=$package $disable "$unit" >/dev/null 2>&1 || true
      [ ! -d /run/systemd/system ] || systemctl stop "$unit" >/dev/null 2>&1 || true
    done
  done
}

# follow LABEL COMMAND…: runs it with its output in the log, shows its newest line and the seconds.
follow() {
  local label=$1 began=$SECONDS shown=$SECONDS waited=no line status
  shift
  : >"$LOG"
  setsid "$@" >"$LOG" 2>&1 </dev/null &
  APT_PID=$!
  while kill -0 "$APT_PID" 2>/dev/null; do
    sleep 0.5
    if [ "$waited" = no ] && grep -qi 'could not get lock\|waiting for cache lock' "$LOG"; then
      waited=yes
      say '    別のプログラムが apt を使っています。終わるまで最大 5 分待ちます…' \
        '    Another program is using apt. Waiting up to 5 minutes for it…'
    fi
    if [ -t 1 ]; then
      line=$(grep -E '^(Get:|Fetched|Unpacking|Setting up)' "$LOG" | tail -n 1 | cut -c1-60)
      printf '\r\033[K    %s %ss  %s' "$label" $((SECONDS - began)) "$line"
    elif [ $((SECONDS - shown)) -ge 10 ]; then
      shown=$SECONDS
      printf '    %s %ss\n' "$label" $((SECONDS - began))
    fi
  done
  wait "$APT_PID"
  status=$?
  APT_PID=
  [ ! -t 1 ] || printf '\r\033[K'
  return "$status"
}

BEFORE=$(snapshot)
if [ -e "$POLICY" ] && grep -qF "$MARK" "$POLICY" 2>/dev/null; then rm -f -- "$POLICY"; fi # of a start that was killed
if [ ! -e "$POLICY" ]; then
  printf '#!/bin/sh\n%s\nexit 101\n' "$MARK" >"$POLICY" && chmod 755 "$POLICY" && OURS=yes
fi

updated=no
for _ in 1 2 3 4 5 6 7 8 9 10; do
  if follow 'apt-get update' apt-get update -q; then
    updated=yes
    break
  fi
  grep -qi 'could not get lock' "$LOG" || break
  sleep 6
done
if [ "$updated" = no ]; then
  say '    パッケージ一覧を更新できませんでした。手元の一覧で続けます:' \
    '    The package lists could not be updated; going on with what is here:'
  grep -E '^(E|W|Err):?' "$LOG" | head -n 3 | sed 's/^/      /'
fi

if ! follow 'apt-get install' apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
  -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"; then
  say '    apt-get install が失敗しました:' '    apt-get install failed:'
  tail -n 15 "$LOG" | sed 's/^/      /'
  disable_new_units
  exit 1
fi
disable_new_units
for package in "$@"; do
  installed "$package" || {
    say "    $package が入っていません。" "    $package is still missing."
    exit 1
  }
done

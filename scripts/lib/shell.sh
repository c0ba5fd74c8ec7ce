# shellcheck shell=bash
# Shared by the commands of scripts/: words in the language of the locale, the data folder, who runs what, what is running.
# Sourced by bash; sets ROOT (the checkout), LANGUAGE_CODE, and functions. Nothing here changes the machine.

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
TRIAL_USER=sekisho

case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in
  ja*) LANGUAGE_CODE=ja ;;
  *) LANGUAGE_CODE=en ;;
esac

# say JA EN: one line in the reader's language.
say() {
  if [ "$LANGUAGE_CODE" = ja ]; then printf '%s\n' "$1"; else printf '%s\n' "$2"; fi
}

# fail STATUS JA EN
fail() {
  say "$2" "$3" >&2
  exit "$1"
}

is_root() { [ "$(id -u)" = 0 ]; }

# The value of --NAME in the arguments: "--name value" or "--name=value"; empty when absent. Exit 2 without a value.
option_value() {
  local name=$1
  shift
  while [ $# -gt 0 ]; do
    case "$1" in
      "--$name")
        [ $# -ge 2 ] || fail 2 "--$name には値が必要です。" "--$name needs a value."
        printf '%s' "$2"
        return
        ;;
      "--$name="*)
        printf '%s' "${1#*=}"
        return
        ;;
    esac
    shift
  done
}

has_flag() {
  local name=$1
  shift
  local argument
  for argument in "$@"; do [ "$argument" != "--$name" ] || return 0; done
  return 1
}

# wants_help ARGUMENTS…
wants_help() {
  local argument
  for argument in "$@"; do
    case "$argument" in -h | --help) return 0 ;; esac
  done
  return 1
}

# ./data of the checkout; for root /var/lib/sekisho-trial.
default_data_folder() {
  if is_root; then printf '%s' /var/lib/sekisho-trial; else realpath -m -- "$ROOT/data"; fi
}

# The data folder, absolute: --data, else the default.
data_folder() {
  local given
  given=$(option_value data "$@") || exit $?
  [ -n "$given" ] || given=$(default_data_folder)
  case "$given" in
    /*) ;;
    *) given=$PWD/$given ;;
  esac
  realpath -m -- "$given"
}

# as_owner DATA COMMAND…: the command as the user who owns the data folder; root never runs what handles mail.
as_owner() {
  local data=$1
  shift
  if ! is_root; then
    "$@"
    return
  fi
  local uid gid
  uid=$(stat -c %u -- "$data")
  gid=$(stat -c %g -- "$data")
  [ "$uid" != 0 ] || fail 1 "$data は root のものです。--data で別のフォルダーを指定してください。" \
    "$data belongs to root. Name another folder with --data."
  ( cd / && HOME=$data USER=$TRIAL_USER LOGNAME=$TRIAL_USER npm_config_cache=$data/cache/npm \
    exec setpriv --reuid="$uid" --regid="$gid" --init-groups --no-new-privs -- "$@" )
}

# Where the programs run from: root's trial user has its own copy, a normal user the checkout itself.
app_folder() {
  if is_root; then printf '%s' "$1/app"; else printf '%s' "$ROOT"; fi
}

# Is the start that wrote DATA/run/start.pid alive? The start time tells a reused pid apart.
is_running() {
  local pid ticks now
  [ -r "$1/run/start.pid" ] || return 1
  read -r pid ticks <"$1/run/start.pid" || return 1
  [ -r "/proc/$pid/stat" ] || return 1
  now=$(sed 's/^.*) //' "/proc/$pid/stat" | cut -d' ' -f20)
  [ "$now" = "$ticks" ]
}

# Can the commands of this data folder run at all?
installed() {
  [ -x "$(app_folder "$1")/node_modules/.bin/node" ] && { ! is_root || [ -d "$1" ]; }
}

# fail_not_started DATA: nothing was ever started there. Who forgot --data must not be sent to start a second one.
fail_not_started() {
  local data=$1 option
  if [ "$data" = "$(default_data_folder)" ]; then
    fail 3 "既定のデータフォルダー $data では何も動いていません。--data を付けて起動したときは、ここでも同じ --data を付けてください。まだなら、先に ./scripts/start を実行してください。" \
      "Nothing runs at the default data folder $data. If you started with --data, name that folder here too; otherwise run ./scripts/start first."
  fi
  option="--data $(printf '%q' "$data")"
  fail 3 "$data では何も動いていません。先に ./scripts/start $option を実行してください。" \
    "Nothing runs at $data. Run ./scripts/start $option first."
}

# run_app DATA FILE ARGUMENTS…: a TypeScript command of scripts/, as the owner of the data folder, replacing this shell.
run_app() {
  local data=$1 file=$2 app
  shift 2
  app=$(app_folder "$data")
  installed "$data" || fail_not_started "$data"
  # Hints name the data folder only where the commands would not find it by themselves.
  if [ "$data" != "$(default_data_folder)" ]; then export SEKISHO_DATA_NAMED=1; else unset SEKISHO_DATA_NAMED; fi
  if is_root; then
    local uid gid
    uid=$(stat -c %u -- "$data")
    gid=$(stat -c %g -- "$data")
    cd /
    HOME=$data USER=$TRIAL_USER LOGNAME=$TRIAL_USER exec setpriv --reuid="$uid" --regid="$gid" --init-groups \
      --no-new-privs -- "$app/node_modules/.bin/node" "$app/$file" "$@"
  fi
  exec "$app/node_modules/.bin/node" "$app/$file" "$@"
}

# without_option NAME ARGUMENTS…: sets REST to the arguments without --NAME and its value.
without_option() {
  local name=$1
  shift
  REST=()
  while [ $# -gt 0 ]; do
    case "$1" in
      "--$name") shift ;;
      "--$name="*) ;;
      *) REST+=("$1") ;;
    esac
    [ $# -eq 0 ] || shift
  done
}

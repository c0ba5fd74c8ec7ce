#!/bin/sh
# Builds the bootable image of the box. There is none yet: a later release builds it from src/, webui/ and rootfs/.
# Until then this says so and exits 2; ./scripts/start runs the gateway on a Debian machine today.
case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in
  ja*) echo 'イメージはまだ作れません。後の版で作れるようになります。今は ./scripts/start で試せます。' >&2 ;;
  *) echo 'No image can be built yet: a later release does it. Today, ./scripts/start runs the gateway.' >&2 ;;
esac
exit 2

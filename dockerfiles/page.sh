#!/bin/sh
# Runs inside the build of a page: copies /output to /made, with compressed forms of what becomes smaller by that, and
# tries the configuration of nginx.
# With arguments, it makes the compressed forms of these files. /forms is a mount that lasts.
set -eu
export LC_ALL=C

# The form of a file that a program makes with its options, unless it is there already or no smaller. What was made once
# is kept beside the builds, by the content of the file; of what becomes no smaller, an empty form.
form() {
  file=$1 ending=$2 kept=/forms/$3.$2
  shift 3
  [ ! -e "$file.$ending" ] || return 0
  if ! [ -e "$kept" ]; then
    "$@" <"$file" >"$kept.$$"
    [ "$(stat -c %s "$kept.$$")" -lt "$(stat -c %s "$file")" ] || : >"$kept.$$"
    mv "$kept.$$" "$kept"
  fi
  touch -c "$kept"
  if [ -s "$kept" ]; then
    cp "$kept" "$file.$ending"
    touch -r "$file" "$file.$ending"
  fi
}

if [ $# -gt 0 ]; then
  for file; do
    sum=$(sha256sum <"$file")
    form "$file" gz "${sum%% *}" gzip -9n
    # The best takes two seconds for a megabyte.
    quality=11
    [ "$(stat -c %s "$file")" -lt 4000000 ] || quality=9
    ! command -v brotli >/dev/null || form "$file" br "${sum%% *}" brotli -c -q "$quality"
  done
  exit 0
fi

umask 022
page=/made/srv/page
mkdir -p "$page" /made/etc/nginx /made/usr/local/bin
cp -R /output/. "$page"
chmod -R u=rwX,go=rX "$page"
# nginx knows the content of a file by its size and time: the same content has the same time, whenever it was made, and
# other content another one. So what a browser has is still good after a release that did not change it.
(cd "$page" && find . -type f -exec sha256sum -z {} +) |
  perl -0 -ne 'chomp; my ($sum, $path) = /^(.{7}).{57}  (.*)$/s; my $time = 1e9 + hex $sum; utime $time, $time, "'"$page"'/$path"'
if [ "$COMPRESS" = yes ]; then
  # What is compressed already.
  find "$page" -type f ! -size 0 ! -iname '*.png' ! -iname '*.jpg' ! -iname '*.jpeg' ! -iname '*.gif' ! -iname '*.webp' \
    ! -iname '*.avif' ! -iname '*.woff' ! -iname '*.woff2' ! -iname '*.mp3' ! -iname '*.mp4' ! -iname '*.webm' \
    ! -iname '*.ogg' ! -iname '*.zip' ! -iname '*.gz' ! -iname '*.br' ! -iname '*.zst' -print0 |
    xargs -0 -r -n 1 -P "$(nproc)" sh /control/page.sh
  find /forms -type f -mtime +30 -delete
fi
cp /control/nginx.conf /made/etc/nginx/page.conf
cp /control/serve-page /made/usr/local/bin/serve-page
chmod 0644 /made/etc/nginx/page.conf
chmod 0755 /made/usr/local/bin/serve-page
sh /control/serve-page -t -q -c /control/nginx.conf

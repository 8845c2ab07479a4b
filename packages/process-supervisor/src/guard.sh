# Outlives its parent for a moment, to leave nothing behind when the parent is killed with -9.
# stdin is a pipe that only the parent holds: end of file means that the parent is gone, however it went.
#   add <pid> <signal>   a process group to end, first with this signal, five seconds later with KILL
#   remove <pid>         that one has ended
#   dir <path>           a temporary folder to delete in the end
#   keep <path>          not any more
trap '' INT TERM HUP QUIT
parts=''
dirs=''
newline='
'
while read -r word rest; do
  case $word in
    add) parts="$parts ${rest%% *}:${rest#* }" ;;
    remove)
      left=''
      for part in $parts; do [ "${part%%:*}" = "$rest" ] || left="$left $part"; done
      parts=$left
      ;;
    dir) dirs="$dirs$rest$newline" ;;
    keep) dirs=$(printf '%s' "$dirs" | grep -vxF -- "$rest")$newline ;;
  esac
done
for part in $parts; do kill -s "${part#*:}" -- "-${part%%:*}" 2>/dev/null; done
tenths=0
while [ $tenths -lt 50 ]; do
  alive=''
  for part in $parts; do kill -s 0 -- "-${part%%:*}" 2>/dev/null && alive=yes; done
  [ -n "$alive" ] || break
  sleep 0.1
  tenths=$((tenths + 1))
done
for part in $parts; do kill -s KILL -- "-${part%%:*}" 2>/dev/null; done
printf '%s' "$dirs" | while IFS= read -r dir; do [ -z "$dir" ] || rm -rf -- "$dir"; done

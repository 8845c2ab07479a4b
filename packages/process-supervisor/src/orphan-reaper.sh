# Briefly outlives its parent, in order to clean up if the parent was killed with -9. stdin is a pipe that only the parent holds, so end of file means
# that the parent has ended, for any reason.
#   add <pid> <signal>   a process group to end, first with this signal, five seconds later with KILL
#   remove <pid>         this group has ended
#   dir <path>           a folder to delete at the end
#   keep <path>          don't delete it
trap '' INT TERM HUP QUIT
groups=''
dirs=''
newline='
'
while read -r word rest; do
  case $word in
    add) groups="$groups ${rest%% *}:${rest#* }" ;;
    remove)
      left=''
      for group in $groups; do [ "${group%%:*}" = "$rest" ] || left="$left $group"; done
      groups=$left
      ;;
    dir) dirs="$dirs$rest$newline" ;;
    keep) dirs=$(printf '%s' "$dirs" | grep -vxF -- "$rest")$newline ;;
  esac
done
for group in $groups; do kill -s "${group#*:}" -- "-${group%%:*}" 2>/dev/null; done
tenths=0
while [ $tenths -lt 50 ]; do
  alive=''
  for group in $groups; do kill -s 0 -- "-${group%%:*}" 2>/dev/null && alive=yes; done
  [ -n "$alive" ] || break
  sleep 0.1
  tenths=$((tenths + 1))
done
for group in $groups; do kill -s KILL -- "-${group%%:*}" 2>/dev/null; done
printf '%s' "$dirs" | while IFS= read -r dir; do [ -z "$dir" ] || rm -rf -- "$dir"; done

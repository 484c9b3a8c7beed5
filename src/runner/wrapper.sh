# Runs one agent in a process group and session of its own, so that it outlives the server.
#
#   sh wrapper.sh FOLDER COMMAND [ARGUMENT...]
#
# FOLDER is the run's folder, COMMAND an absolute path. Descriptors 0 and 1 are the agent's stdin and stdout, 4 is its
# stderr (2 is the shell's own: it reports there of which signal its child died), 3 is the control pipe. The server may
# die between any two lines of this file. Names begin with reveille_ because a shell hands changed variables on to the
# agent where its environment has one of that name.

reveille_folder=$1
shift

# A caught signal is reset in the agent; an ignored one would be inherited by everything that it starts.
trap : HUP INT QUIT TERM USR1 USR2 ALRM PIPE

# The start time is field 22 of /proc/PID/stat. The second field, the program's name, may contain anything, so fields
# are counted from the last parenthesis. Without /proc the rest of the line stays empty.
reveille_read_start_time() {
  shift 19
  reveille_start=$1
}
read -r reveille_stat <"/proc/$$/stat" && reveille_read_start_time ${reveille_stat##*) }
read -r reveille_boot </proc/sys/kernel/random/boot_id
printf '%s %s %s\n' "$$" "${reveille_start-}" "${reveille_boot-}" >"$reveille_folder/pid"

# The server writes this line when it has recorded the process. End of file: it will not, and nothing may run.
read -r reveille_go <&3 || exit 0
# Whatever is in this file in the end says that a signal ended the agent, and no exit code of its own: `$?` is 139 for
# one that died of SIGSEGV and for one that exits with 139. Shells don't report SIGINT and SIGPIPE.
exec 2>"$reveille_folder/started" 3<&- || exit 125

# In the foreground: `"$@" & wait` reports 143 for an agent that catches SIGTERM and exits 7. The trap runs only where
# the agent could not be executed, which tells that from an agent that exits 126 or 127 (bash needs execfail for it).
[ -z "${BASH_VERSION-}" ] || shopt -s execfail
(
  trap ': >"$reveille_folder/unexecuted"' EXIT
  exec "$@" 2>&4 4>&-
  exit
)
reveille_code=$?

# One write without a fork, which works where the process table is full. Without the line feed it does not count.
printf '%s\n' "$reveille_code" >"$reveille_folder/exit"
exit "$reveille_code"

# What shells do with processes. What it prints is the same wherever it runs.
set -u
trap 'echo trapped TERM' TERM
trap 'echo leaving' EXIT
seq 1 100 | grep 7 | sort -r | head -3
cat <<END
here $((1 + 2)) $(echo substituted)
END
(sleep 0.1; echo background) &
wait $!
kill -TERM $$
for status in 1 2 3; do (exit $status) & wait $!; echo "status $?"; done
turned=$(echo a b c | while read -r one two three; do echo "$three $two $one"; done); echo "$turned"
mkfifo "$1/fifo"; (echo through > "$1/fifo") & cat "$1/fifo"; wait
sleep 50 & kill -KILL $!; wait $! 2>/dev/null; echo "killed $?"
echo one two | { read -r first second; echo "$second"; }
false | true; echo "pipeline $?"
ulimit -n 64; ulimit -n
exec 3>"$1/three"; echo to three >&3; exec 3>&-; cat "$1/three"
(trap '' INT; kill -INT $(sh -c 'echo $PPID'); echo ignored)
{ echo to both; echo to errors >&2; } 2>&1 | sort
sh -c 'exit 41'; echo "child $?"
{ sh -c 'kill -SEGV $$'; } 2>/dev/null; echo "fault $?"

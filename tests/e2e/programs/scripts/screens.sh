# tmux with two shells on terminals of their own; vim on what is typed.
export TERM=xterm LC_ALL=C.UTF-8
tmux -f /dev/null new-session -d -s x -x 80 -y 24 sh
tmux send-keys -t x 'echo; echo $((6*7)); tty; stty size' Enter
tmux split-window -t x sh
tmux list-panes -t x | wc -l
until tmux capture-pane -p -t x.0 | grep -q '^[0-9]* 80$'; do sleep 0.1; done
tmux capture-pane -p -t x.0 | grep -E '^(42|/dev/pts/0)$'
tmux kill-server
printf 'one\ntwo\n' > /tmp/file
printf ':%%s/two/three/\r:wq\r' | vim -u NONE -T xterm /tmp/file > /dev/null 2>&1
cat /tmp/file

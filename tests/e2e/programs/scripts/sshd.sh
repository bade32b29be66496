# A server, a session with a command, one with a pipe, one with a terminal.
set -e
mkdir -p /run/sshd /root/.ssh /etc/ssh
chmod 700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
cat > /etc/ssh/sshd_config <<END
Port 2222
HostKey /etc/ssh/ssh_host_ed25519_key
UsePAM no
PermitRootLogin yes
PidFile none
END
/usr/sbin/sshd -f /etc/ssh/sshd_config -E /tmp/log
# It goes to the background before it listens.
until (exec 3<>/dev/tcp/127.0.0.1/2222) 2>/dev/null; do :; done
ask() { ssh -p 2222 -o StrictHostKeyChecking=no -o LogLevel=ERROR "$@"; }
ask 127.0.0.1 'echo in a session; exit 7' || echo "status $?"
echo piped | ask 127.0.0.1 cat
ask -tt 127.0.0.1 tty < /dev/null | tr -d '\r'

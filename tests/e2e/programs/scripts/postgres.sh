# A cluster, a server, a load over a UNIX socket; the sums are right.
set -e
export LC_ALL=C
bin=$1
$bin/initdb -D /tmp/data -A trust --no-sync > /tmp/log 2>&1
$bin/pg_ctl -D /tmp/data -o "-k /tmp -c listen_addresses=''" -w -l /tmp/log start > /tmp/ctl
$bin/pgbench -h /tmp -i -q -s 1 postgres 2> /tmp/init
$bin/pgbench -h /tmp -c 4 -j 2 -t 50 postgres > /tmp/bench 2>&1
grep -o 'actually processed: .*' /tmp/bench
$bin/psql -h /tmp -At -c 'select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)' postgres
$bin/pg_ctl -D /tmp/data -m fast -w stop > /tmp/ctl
$bin/pg_controldata /tmp/data | grep -o 'state: .*' | tr -s ' '

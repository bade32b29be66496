# Saves, rewrites of the log, and requests meanwhile; everything is there after a restart.
set -e
mkdir /tmp/redis
serve() {
    redis-server --dir /tmp/redis --save '1 1' --appendonly yes --daemonize yes --logfile /tmp/redis.log --port 6379
    until redis-cli ping 2>/dev/null | grep -q PONG; do sleep 0.1; done
}
state() { redis-cli info persistence | tr -d '\r' | grep -E '_status|rdb_bgsave_in|aof_rewrite_in'; }
idle() { ! state | grep -q 'progress:1'; }
serve
redis-benchmark -q -n 20000 -P 16 -c 10 -t set,lpush -r 5000 > /tmp/load 2>&1 &
load=$!
redis-cli bgrewriteaof > /dev/null
sleep 0.3
redis-cli bgsave > /dev/null || true
wait $load
echo "load $?"
redis-cli set last one
until idle; do sleep 0.1; done
state
before=$(redis-cli dbsize)
redis-cli shutdown nosave
until ! redis-cli ping > /dev/null 2>&1; do sleep 0.1; done
serve
[ "$(redis-cli dbsize)" = "$before" ] && redis-cli get last
redis-cli shutdown save
redis-check-rdb /tmp/redis/dump.rdb > /dev/null && echo whole

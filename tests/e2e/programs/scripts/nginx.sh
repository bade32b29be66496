# A master, its workers, a reload without a lost request, an end.
set -e
cat > /tmp/nginx.conf <<END
worker_processes 2; pid /tmp/nginx.pid; error_log /tmp/error.log notice; user root;
events { worker_connections 256; }
http { access_log off; server { listen 80; location / { return 200 "served\n"; } } }
END
mkdir -p /var/log/nginx /var/lib/nginx
ask() { for i in 1 2 3 4 5 6 7 8; do curl -s http://127.0.0.1/; done | sort | uniq -c | tr -s ' '; }
running() { for each in /proc/[0-9]*; do cat "$each/comm" 2>/dev/null || true; done | grep -c nginx || true; }
nginx -c /tmp/nginx.conf
ask
running
before=$(grep -c 'start worker process ' /tmp/error.log)
nginx -c /tmp/nginx.conf -s reload 2>/dev/null
ask
until [ "$(grep -c 'exited with code 0' /tmp/error.log)" -eq 2 ]; do sleep 0.1; done
ask
running
echo "$before $(grep -c 'start worker process ' /tmp/error.log)"
nginx -c /tmp/nginx.conf -s quit 2>/dev/null
until [ "$(running)" -eq 0 ]; do sleep 0.1; done
echo ended

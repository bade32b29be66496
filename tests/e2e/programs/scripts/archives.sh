# tar with its compressors, xz with two threads, a Debian package.
set -e
cd "$1"
mkdir tree
i=0
while [ $i -lt 20 ]; do seq 1 2000 > "tree/file$i"; i=$((i + 1)); done
tar cf tree.tar tree
tar czf tree.tgz tree
xz -T2 -k tree.tar
xz -t tree.tar.xz
mkdir out
tar xf tree.tar.xz -C out
diff -r tree out/tree && echo same
tar tzf tree.tgz | wc -l
mkdir -p package/DEBIAN package/usr/share/x
printf 'Package: x\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: d\n' > package/DEBIAN/control
cp tree/file1 package/usr/share/x/file
dpkg-deb --root-owner-group -b package x.deb > /dev/null
dpkg-deb -f x.deb Package
dpkg-deb -c x.deb | wc -l
dpkg-deb -x x.deb unpacked
cmp unpacked/usr/share/x/file tree/file1 && echo unpacked

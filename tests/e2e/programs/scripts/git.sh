# A history, packed, cloned, pushed to.
set -e
cd "$1"
export HOME=$1 GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
git config --global user.email a@example.org
git config --global user.name A
git config --global init.defaultBranch main
git init -q origin
cd origin
i=0
while [ $i -lt 30 ]; do echo "line $i" > "file$i"; i=$((i + 1)); done
git add .
git commit -q -m one
echo more >> file1
git commit -q -a -m two
git log --format='%H %s'
git gc -q
git fsck --no-progress
cd ..
git clone -q origin copy
cd copy
git checkout -q -b branch
echo new > new
git add new
git commit -q -m three
git push -q origin branch
cd ../origin
git branch --format='%(refname:short) %(objectname)'

//! Who the program runs as: `USER[:GROUP]`, looked up in the image's own passwd(5) and group(5), as
//! docker does.

use anyhow::{Context, Result, ensure};
use rkt_manifest::User;

/// A user of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Ids, and as further groups the group itself and, if none was asked for, those of which the
    /// user is a member.
    pub user: User,
    /// The home directory.
    pub home: String,
}

impl Default for Account {
    fn default() -> Self {
        Self { user: User::default(), home: "/root".into() }
    }
}

impl Account {
    /// The account of `USER[:GROUP]`, each a name or a number. A number needs no entry.
    ///
    /// # Errors
    /// If a name is not in the files.
    pub fn find(spec: &str, passwd: &str, group: &str) -> Result<Self> {
        let (user, wanted_group) = match spec.split_once(':') {
            Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
            None => (spec, None),
        };
        let user = if user.is_empty() { "0" } else { user };
        let mut account = find_user(user, passwd)?;
        match wanted_group {
            Some(wanted) => account.user.gid = find_group(wanted, group)?,
            None => account.user.groups = memberships(user, passwd, group),
        }
        // So that a program that changes its group cannot shed one that it is denied things by.
        account.user.groups.push(account.user.gid);
        account.user.groups.sort_unstable();
        account.user.groups.dedup();
        Ok(account)
    }
}

fn find_user(user: &str, passwd: &str) -> Result<Account> {
    // NAME:PASSWORD:UID:GID:GECOS:HOME:SHELL
    let entry = passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        let home = if home.is_empty() { "/" } else { home };
        (name == user || number(user) == Some(uid)).then(|| (uid, gid, home.to_owned()))
    });
    let (uid, gid, home) = match (entry, number(user)) {
        (Some(entry), _) => entry,
        (None, Some(0)) => return Ok(Account::default()),
        (None, Some(uid)) => (uid, 0, "/".to_owned()),
        (None, None) => anyhow::bail!("there is no user {user:?} in the image's /etc/passwd"),
    };
    ensure!(home.starts_with('/'), "the home directory of {user} in the image's /etc/passwd is no absolute path");
    Ok(Account { user: User { uid, gid, groups: Vec::new() }, home })
}

fn find_group(wanted: &str, group: &str) -> Result<u32> {
    // NAME:PASSWORD:GID:MEMBERS
    let entry = group.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, gid) = (fields.next()?, fields.nth(1)?);
        if name == wanted { gid.parse().ok() } else { None }
    });
    entry.or_else(|| number(wanted)).with_context(|| format!("there is no group {wanted:?} in the image's /etc/group"))
}

/// The groups that list a user as member.
fn memberships(user: &str, passwd: &str, group: &str) -> Vec<u32> {
    // A user who was asked for by number is a member by name.
    let by_number = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse::<u32>().ok() == Some(number(user)?)).then(|| fields[0].to_owned())
    };
    let name = passwd.lines().find_map(by_number).unwrap_or_else(|| user.to_owned());
    group
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':').skip(2);
            let (gid, members) = (fields.next()?.parse().ok()?, fields.next()?);
            members.split(',').any(|member| member == name).then_some(gid)
        })
        .collect()
}

fn number(text: &str) -> Option<u32> {
    // `parse` takes a sign, too.
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken\nredis:x:999:1000::/var/lib/redis:/bin/false\nodd:x:7:7::x:\n1:x:5:5::/one:\n";
    const GROUP: &str = "root:x:0:\nredis:x:1000:\nssl:x:44:a,redis\nadm:x:4:redis\nadm2:x:4:redis\n";

    fn found(spec: &str) -> Option<(u32, u32, Vec<u32>, String)> {
        let account = Account::find(spec, PASSWD, GROUP).ok()?;
        Some((account.user.uid, account.user.gid, account.user.groups, account.home))
    }

    #[test]
    fn names_and_numbers_as_docker_reads_them() {
        let redis = (999, 1000, vec![4, 44, 1000], "/var/lib/redis".to_owned());
        assert_eq!(found("redis").unwrap(), redis);
        assert_eq!(found("999").unwrap(), redis);
        assert_eq!(found("redis:ssl").unwrap(), (999, 44, vec![44], redis.3.clone()));
        assert_eq!(found("999:7").unwrap(), (999, 7, vec![7], redis.3.clone()));
        assert_eq!(found("redis:").unwrap(), redis);
        assert_eq!(found("1234").unwrap(), (1234, 0, vec![0], "/".into()));
        assert_eq!(found(":44").unwrap(), (0, 44, vec![44], "/root".into()));
        assert_eq!(found("1").unwrap().0, 5, "a name of digits is a name");
        for unknown in ["nobody", "redis:nobody", "-1", "+1", "4294967296", "odd"] {
            assert_eq!(found(unknown), None, "{unknown}");
        }
        assert_eq!(Account::find("0", "", "").unwrap().home, "/root");
    }
}

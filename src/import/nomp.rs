//! NOMP's Redis: reads what one coin has there, in parts, and never writes.

use super::ImportError;
use super::record::{Fields, Pending, Style, shown};
use crate::config;
use redis::{Connection, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Deadline of connecting, and of each call.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Fields that Redis is asked for at once.
const PART: usize = 1000;
/// Most fields of one key: so many names of 255 bytes are half a gigabyte.
const MOST: usize = 2_000_000;

/// Most bytes of one key: names and numbers are short, but who says so?
const MOST_BYTES: usize = 1 << 30;

/// What NOMP has stored of a coin. A key that cannot be read has a sentence in its place.
#[derive(Debug)]
pub struct Nomp {
    /// Names this source for ever.
    pub source: String,
    /// How its keys are named.
    pub style: Style,
    /// `balances`: what workers are owed.
    pub balances: Result<Fields, String>,
    /// `payouts`: what they were paid.
    pub payouts: Result<Fields, String>,
    /// `shares:roundCurrent`.
    pub current: Result<Fields, String>,
    /// Members of `blocksPending`.
    pub pending: Result<BTreeSet<String>, String>,
    /// `shares:round<height>` of pending blocks.
    pub rounds: BTreeMap<u64, Result<Fields, String>>,
    /// Members of the other sets of blocks: these are only counted.
    pub counted: Vec<(&'static str, u64)>,
    /// What an operator should know.
    pub notes: Vec<String>,
}

/// `HOST:PORT` or `HOST:PORT/DATABASE`; a host with colons stands in brackets.
#[must_use]
pub fn address(text: &str) -> Option<config::Redis> {
    let (server, database) = text.split_once('/').unwrap_or((text, "0"));
    let (host, port) = server.rsplit_once(':')?;
    let host = host.strip_prefix('[').map_or(Some(host), |host| host.strip_suffix(']'))?;
    let port = port.parse().ok().filter(|&port| port > 0)?;
    let database = database.parse().ok()?;
    (!host.is_empty()).then(|| config::Redis {
        host: host.to_owned(),
        port,
        password: None,
        database,
    })
}

/// Reads all that NOMP has stored under the name `coin`.
///
/// # Errors
/// [`ImportError`] when the server does not answer, or has nothing of that coin.
pub fn read(server: &config::Redis, coin: &str) -> Result<Nomp, ImportError> {
    let place = format!("redis {}:{}/{}", server.host, server.port, server.database);
    let failed = |error: &RedisError| failure(&place, error);
    let mut reader = Reader { connection: connect(server).map_err(|error| failed(&error))? };
    let mut styles = Vec::new();
    for style in Style::ALL {
        let names = ["balances", "blocksPending", "shares:roundCurrent", "payouts", "stats"];
        let mut there = false;
        for name in names {
            there |= reader.kind(&style.key(coin, name)).map_err(|error| failed(&error))? != "none";
        }
        if there {
            styles.push(style);
        }
    }
    let Some(&style) = styles.first() else {
        return Err(ImportError {
            place,
            words: format!(
                "there is nothing of a coin `{coin}` (no `{}`, and no `{}`). NOMP names its keys \
                 by the coin file's `name` in small letters: `--prefix` says another one; \
                 `HOST:PORT/DB` another database",
                Style::Colon.key(coin, "balances"),
                Style::Underscore.key(coin, "balances"),
            ),
        });
    };
    let mut nomp = Nomp {
        source: format!("nomp {}:{}/{} {coin}", server.host, server.port, server.database),
        style,
        balances: Ok(Fields::default()),
        payouts: Ok(Fields::default()),
        current: Ok(Fields::default()),
        pending: Ok(BTreeSet::new()),
        rounds: BTreeMap::new(),
        counted: Vec::new(),
        notes: Vec::new(),
    };
    if styles.len() > 1 {
        nomp.notes.push(format!(
            "there are also keys of an older NOMP, such as `{}`: they are left alone",
            Style::Underscore.key(coin, "balances")
        ));
    }
    reader.fill(&mut nomp, coin).map_err(|error| failed(&error))?;
    Ok(nomp)
}

fn connect(server: &config::Redis) -> Result<Connection, RedisError> {
    let mut login =
        RedisConnectionInfo::default().set_db(i64::from(server.database)).set_skip_set_lib_name();
    if let Some(password) = &server.password {
        login = login.set_password(password.expose());
    }
    let info = ConnectionAddr::Tcp(server.host.clone(), server.port).into_connection_info()?;
    let client = redis::Client::open(info.set_redis_settings(login))?;
    let connection = client.get_connection_with_timeout(TIMEOUT)?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    connection.set_write_timeout(Some(TIMEOUT))?;
    Ok(connection)
}

fn failure(place: &str, error: &RedisError) -> ImportError {
    let advice = match error.code() {
        Some("NOAUTH" | "WRONGPASS") => "; `--password-file` names a file with its password",
        _ => "",
    };
    ImportError { place: place.to_owned(), words: format!("{error}{advice}") }
}

struct Reader {
    connection: Connection,
}

impl Reader {
    fn fill(&mut self, nomp: &mut Nomp, coin: &str) -> Result<(), RedisError> {
        let key = |name: &str| nomp.style.key(coin, name);
        nomp.balances = self.fields(&key("balances"))?;
        nomp.payouts = self.fields(&key("payouts"))?;
        nomp.current = self.fields(&key("shares:roundCurrent"))?;
        nomp.pending = self.members(&key("blocksPending"))?;
        let members = nomp.pending.iter().flatten();
        let heights: BTreeSet<u64> = members
            .filter_map(|member| Pending::parse(member).ok())
            .map(|block| block.height)
            .collect();
        for height in heights {
            let round = self.fields(&key(&format!("shares:round{height}")))?;
            nomp.rounds.insert(height, round);
        }
        for name in ["blocksConfirmed", "blocksOrphaned", "blocksKicked"] {
            let key = key(name);
            match self.kind(&key)?.as_str() {
                "none" => nomp.counted.push((name, 0)),
                "set" => {
                    let count = redis::cmd("SCARD").arg(&key).query(&mut self.connection)?;
                    nomp.counted.push((name, count));
                }
                kind => nomp.notes.push(format!("`{key}` is a {kind}, not a set")),
            }
        }
        Ok(())
    }

    fn kind(&mut self, key: &str) -> Result<String, RedisError> {
        redis::cmd("TYPE").arg(key).query(&mut self.connection)
    }

    fn fields(&mut self, key: &str) -> Result<Result<Fields, String>, RedisError> {
        Ok(self.scan(key, "hash", "HSCAN")?.map(|parts| {
            let mut fields = Fields::default();
            for pair in parts.chunks_exact(2) {
                if let [name, value] = pair {
                    fields.add(name, value);
                }
            }
            fields
        }))
    }

    fn members(&mut self, key: &str) -> Result<Result<BTreeSet<String>, String>, RedisError> {
        let text = |part: &Vec<u8>| String::from_utf8_lossy(part).into_owned();
        Ok(self.scan(key, "set", "SSCAN")?.map(|parts| parts.iter().map(text).collect()))
    }

    /// All of a hash or set, in parts; a sentence where it is something else.
    fn scan(
        &mut self,
        key: &str,
        wanted: &str,
        command: &str,
    ) -> Result<Result<Vec<Vec<u8>>, String>, RedisError> {
        let kind = self.kind(key)?;
        if kind == "none" {
            return Ok(Ok(Vec::new()));
        }
        if kind != wanted {
            return Ok(Err(format!("`{}` is a {kind}, not a {wanted}", shown(key))));
        }
        let (mut cursor, mut all, mut bytes) = (0_u64, Vec::new(), 0_usize);
        loop {
            let mut call = redis::cmd(command);
            call.arg(key).arg(cursor).arg("COUNT").arg(PART);
            let part: Vec<Vec<u8>>;
            (cursor, part) = call.query(&mut self.connection)?;
            bytes = part.iter().fold(bytes, |sum, text| sum.saturating_add(text.len()));
            all.extend(part);
            if all.len() > MOST * 2 || bytes > MOST_BYTES {
                return Ok(Err(format!("`{}` is too large: {MOST} fields, 1 GiB", shown(key))));
            }
            if cursor == 0 {
                return Ok(Ok(all));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_with_port_and_database() {
        let read = |text| address(text).map(|it| (it.host, it.port, it.database));
        let all = |host: &str, port, database| Some((host.to_owned(), port, database));
        assert_eq!(read("127.0.0.1:6379"), all("127.0.0.1", 6379, 0));
        assert_eq!(read("redis.example:6380/3"), all("redis.example", 6380, 3));
        assert_eq!(read("[::1]:6379/1"), all("::1", 6379, 1));
        for text in ["", "host", ":6379", "host:0", "host:99999", "host:1/x", "host:1/-1", "[::1:1"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

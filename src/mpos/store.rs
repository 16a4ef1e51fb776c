//! The writing end: rows and the journals' positions in one transaction.

use super::MposError;
use super::connect::{code, connect, explain, place};
use super::rows::{Batch, Line};
use super::shape::{Column, Letters};
use crate::chain::Hash;
use crate::config::Mpos;
use mysql::prelude::Queryable;
use mysql::{Conn, Params, Transaction, TxOpts, Value};
use std::collections::BTreeMap;

/// Rows of the largest insert. The others are its halves, so that few statements are prepared.
const AT_ONCE: usize = 512;
const DUPLICATE: u16 = 1062;
const NO_SUCH_TABLE: u16 = 1146;

/// What romp adds to the database: how far each journal has been written, and which rows are
/// blocks. InnoDB, whatever the server's default is.
const TABLES: [(&str, &str); 2] = [
    (
        "SELECT 1 FROM romp_position LIMIT 1",
        "CREATE TABLE IF NOT EXISTS romp_position (\
         coin VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
         stream VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
         position BIGINT UNSIGNED NOT NULL, \
         PRIMARY KEY (coin, stream)) ENGINE=InnoDB",
    ),
    (
        "SELECT 1 FROM romp_block LIMIT 1",
        "CREATE TABLE IF NOT EXISTS romp_block (\
         coin VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
         hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
         share_id BIGINT NULL, \
         accepted TINYINT NOT NULL DEFAULT 0, \
         PRIMARY KEY (coin, hash)) ENGINE=InnoDB",
    ),
];

/// A coin's way into an MPOS database. Its calls block: it belongs to a helper thread.
#[derive(Debug)]
pub struct Store {
    mpos: Mpos,
    coin: String,
    connection: Conn,
    columns: Columns,
    engine: String,
}

#[derive(Debug)]
struct Columns {
    host: Column,
    username: Column,
    reason: Column,
    solution: Column,
}

impl Store {
    /// Connects, looks at MPOS's tables and makes romp's own if need be.
    ///
    /// # Errors
    /// [`MposError`]; try again later.
    pub fn open(mpos: &Mpos, coin: &str) -> Result<Self, MposError> {
        let explained = |error| explain(mpos, &error);
        let mut connection = connect(mpos).map_err(explained)?;
        let (columns, engine) = look(&mut connection, mpos)?;
        for (probe, create) in TABLES {
            match connection.query_drop(probe) {
                Err(error) if code(&error) == Some(NO_SUCH_TABLE) => {
                    connection.query_drop(create).map_err(explained)?;
                }
                probed => probed.map_err(explained)?,
            }
        }
        Ok(Self { mpos: mpos.clone(), coin: coin.to_owned(), connection, columns, engine })
    }

    /// What the operator should know about the tables, if anything.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        (!self.engine.eq_ignore_ascii_case("InnoDB")).then(|| {
            format!(
                "{}: the table `shares` is {}, which knows no transactions: when a server or romp \
                 is killed, rows may be there twice. Exactly once needs InnoDB: ALTER TABLE shares \
                 ENGINE=InnoDB",
                place(&self.mpos),
                self.engine
            )
        })
    }

    /// Whether the server still answers: it ends connections that are idle for long.
    pub fn is_alive(&mut self) -> bool {
        self.connection.ping().is_ok()
    }

    /// How far each stream has been written: byte offsets by stream name.
    ///
    /// # Errors
    /// [`MposError`]: after any error drop the store and open it anew.
    pub fn positions(&mut self) -> Result<BTreeMap<String, u64>, MposError> {
        let select = "SELECT stream, position FROM romp_position WHERE coin = ?";
        let rows: Result<Vec<(String, u64)>, _> = self.connection.exec(select, (&self.coin,));
        rows.map(BTreeMap::from_iter).map_err(|error| explain(&self.mpos, &error))
    }

    /// Writes a batch: all of it, or nothing. `false`, and nothing was written: a stream is not
    /// where the batch begins.
    ///
    /// # Errors
    /// As [`Store::positions`]. The batch may have been written (a lost reply): the positions tell.
    pub fn apply(&mut self, batch: &Batch) -> Result<bool, MposError> {
        write(&mut self.connection, &self.coin, &self.columns, batch)
            .map_err(|error| explain(&self.mpos, &error))
    }

    /// Forgets the positions of deleted streams.
    ///
    /// # Errors
    /// As [`Store::positions`].
    pub fn forget(&mut self, streams: &[String]) -> Result<(), MposError> {
        let delete = "DELETE FROM romp_position WHERE coin = ? AND stream = ?";
        let coin = &self.coin;
        let all = streams.iter().map(|stream| (coin, stream));
        self.connection.exec_batch(delete, all).map_err(|error| explain(&self.mpos, &error))
    }
}

/// Looks at the columns of `shares`, and says when times are to be given in UTC.
fn look(connection: &mut Conn, mpos: &Mpos) -> Result<(Columns, String), MposError> {
    let explained = |error| explain(mpos, &error);
    let missing = |what: &str| MposError {
        place: place(mpos),
        words: format!(
            "has no {what}: import the tables of MPOS (sql/000_base_structure.sql) first"
        ),
    };
    let engine: Option<Option<String>> = connection
        .query_first(
            "SELECT engine FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name = 'shares'",
        )
        .map_err(explained)?;
    let engine = engine.ok_or_else(|| missing("table `shares`"))?.unwrap_or_default();
    type Fact = (String, String, Option<u64>, Option<String>);
    let facts: Vec<Fact> = connection
        .query(
            "SELECT column_name, data_type, character_maximum_length, character_set_name \
             FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = 'shares'",
        )
        .map_err(explained)?;
    let find = |name: &str| {
        let fact = facts.iter().find(|fact| fact.0.eq_ignore_ascii_case(name));
        fact.ok_or_else(|| missing(&format!("column `shares.{name}`")))
    };
    let text = |name: &str| {
        find(name).map(|(_, _, most, charset)| Column {
            most: most.and_then(|most| usize::try_from(most).ok()).unwrap_or(255),
            letters: Letters::of(charset.as_deref().unwrap_or_default()),
        })
    };
    // A timestamp is stored in UTC; given in local time, an hour each autumn would be ambiguous. A
    // datetime holds what MPOS's own NOW() says: local time.
    if find("time")?.1.eq_ignore_ascii_case("timestamp") {
        connection.query_drop("SET SESSION time_zone = '+00:00'").map_err(explained)?;
    }
    let columns = Columns {
        host: text("rem_host")?,
        username: text("username")?,
        reason: text("reason")?,
        solution: text("solution")?,
    };
    Ok((columns, engine))
}

/// The whole of a batch in one transaction, which is undone when it is dropped without its commit.
fn write(
    connection: &mut Conn,
    coin: &str,
    columns: &Columns,
    batch: &Batch,
) -> Result<bool, mysql::Error> {
    let mut transaction = connection.start_transaction(TxOpts::default())?;
    // The guard first: it holds the streams' rows until the end.
    if !advance(&mut transaction, coin, batch)? {
        transaction.rollback()?;
        return Ok(false);
    }
    insert(&mut transaction, coin, columns, &batch.rows)?;
    for hash in &batch.accepted {
        accept(&mut transaction, coin, hash)?;
    }
    for (worker, difficulty) in &batch.difficulties {
        let update = "UPDATE pool_worker SET difficulty = ? WHERE username = ?";
        transaction.exec_drop(update, (difficulty, worker))?;
    }
    transaction.commit()?;
    Ok(true)
}

/// Moves each stream's position; `false`: one is not where the batch begins.
fn advance(
    transaction: &mut Transaction<'_>,
    coin: &str,
    batch: &Batch,
) -> Result<bool, mysql::Error> {
    for (stream, (from, to)) in &batch.moves {
        if *from == 0 {
            let begin = "INSERT INTO romp_position (coin, stream, position) VALUES (?, ?, ?)";
            match transaction.exec_drop(begin, (coin, stream, to)) {
                Err(error) if code(&error) == Some(DUPLICATE) => return Ok(false),
                begun => begun?,
            }
            continue;
        }
        let go_on =
            "UPDATE romp_position SET position = ? WHERE coin = ? AND stream = ? AND position = ?";
        transaction.exec_drop(go_on, (to, coin, stream, from))?;
        if transaction.affected_rows() != 1 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Inserts rows: many in one statement, and a block's by itself, so that its id is known.
fn insert(
    transaction: &mut Transaction<'_>,
    coin: &str,
    columns: &Columns,
    rows: &[Line],
) -> Result<(), mysql::Error> {
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let plain = rest.iter().take_while(|row| row.solution.is_none()).count();
        let count = if first.solution.is_some() { 1 } else { piece(plain) };
        let (some, others) = rest.split_at(count.min(rest.len()));
        rest = others;
        let values = some.iter().flat_map(|row| values(row, columns)).collect();
        transaction.exec_drop(statement(some.len()), Params::Positional(values))?;
        if let Some(hash) = &first.solution
            && let Some(id) = transaction.last_insert_id()
        {
            note_block(transaction, coin, hash, id)?;
        }
    }
    Ok(())
}

/// The largest power of two that is not above a count.
fn piece(count: usize) -> usize {
    let mut size = AT_ONCE;
    while size > count.max(1) {
        size /= 2;
    }
    size
}

fn statement(rows: usize) -> String {
    let mut sql = "INSERT INTO shares (time, rem_host, username, our_result, upstream_result, \
                   difficulty, reason, solution) VALUES "
        .to_owned();
    for index in 0..rows {
        sql.push_str(if index == 0 { "" } else { "," });
        sql.push_str("(FROM_UNIXTIME(?),?,?,?,'N',?,?,?)");
    }
    sql
}

fn values(row: &Line, columns: &Columns) -> [Value; 7] {
    let solution = row.solution.as_ref().map(ToString::to_string).unwrap_or_default();
    [
        row.time.into(),
        columns.host.fit(&row.host).into(),
        columns.username.fit(&row.username).into(),
        if row.reason.is_none() { "Y" } else { "N" }.into(),
        row.difficulty.into(),
        row.reason.map(|reason| columns.reason.fit(reason)).into(),
        columns.solution.fit(&solution).into(),
    ]
}

/// Remembers the row of a block candidate; its acceptance may have been heard of before.
fn note_block(
    transaction: &mut Transaction<'_>,
    coin: &str,
    hash: &Hash,
    id: u64,
) -> Result<(), mysql::Error> {
    let hash = hash.to_string();
    transaction.exec_drop(
        "INSERT INTO romp_block (coin, hash, share_id) VALUES (?, ?, ?) \
         ON DUPLICATE KEY UPDATE share_id = VALUES(share_id)",
        (coin, &hash, id),
    )?;
    mark(transaction, coin, &hash)
}

/// A daemon has accepted a block; its row may be still to come.
fn accept(transaction: &mut Transaction<'_>, coin: &str, hash: &Hash) -> Result<(), mysql::Error> {
    let hash = hash.to_string();
    transaction.exec_drop(
        "INSERT INTO romp_block (coin, hash, accepted) VALUES (?, ?, 1) \
         ON DUPLICATE KEY UPDATE accepted = 1",
        (coin, &hash),
    )?;
    mark(transaction, coin, &hash)
}

fn mark(transaction: &mut Transaction<'_>, coin: &str, hash: &str) -> Result<(), mysql::Error> {
    transaction.exec_drop(
        "UPDATE shares JOIN romp_block ON shares.id = romp_block.share_id \
         SET shares.upstream_result = 'Y' \
         WHERE romp_block.coin = ? AND romp_block.hash = ? AND romp_block.accepted = 1",
        (coin, hash),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inserts_come_in_few_sizes() {
        let sizes = |mut count: usize| {
            let mut sizes = Vec::new();
            while count > 0 {
                sizes.push(piece(count));
                count -= piece(count);
            }
            sizes
        };
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(1100), [512, 512, 64, 8, 4]);
        assert_eq!(statement(2).matches('?').count(), 14);
    }

    #[test]
    fn names_are_values_and_never_sql() {
        let column = || Column { most: 60, letters: Letters::All };
        let columns =
            Columns { host: column(), username: column(), reason: column(), solution: column() };
        let name = "x'); DROP TABLE shares; -- ";
        let row = Line {
            time: 5,
            host: "::1".to_owned(),
            username: name.to_owned(),
            difficulty: 2.0,
            reason: None,
            solution: None,
        };
        let [time, host, username, ours, difficulty, reason, solution] = values(&row, &columns);
        assert_eq!(username, Value::Bytes(name.into()));
        assert_eq!((time, host), (Value::UInt(5), Value::Bytes("::1".into())));
        assert_eq!((ours, difficulty), (Value::Bytes("Y".into()), Value::Double(2.0)));
        assert_eq!((reason, solution), (Value::NULL, Value::Bytes("".into())));
    }
}
